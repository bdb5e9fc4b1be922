import type { Load } from './load.ts'

const boundary = '----stowage-bench-9871129ddafb3697'

type FormLoad = Pick<Load, 'headers'> & { body: NonNullable<Load['body']> }

/** A form with one file of so many bytes, after the fields. */
export function formWith(fileBytes: number, fields: Record<string, string | number> = {}): FormLoad {
  const disposition = `--${boundary}\r\nContent-Disposition: form-data; name=`
  const texts = Object.entries(fields).map(([name, value]) => `${disposition}"${name}"\r\n\r\n${value}\r\n`)
  const file = `${disposition}"files"; filename="bench.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: { before: texts.join('') + file, fileBytes, after: `\r\n--${boundary}--\r\n` },
  }
}
