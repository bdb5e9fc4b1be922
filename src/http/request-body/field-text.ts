import { isUtf8 } from 'node:buffer'
import { MIMEType } from 'node:util'
import { StowageError } from '#domain/errors.ts'
import type { PartHead } from './part-head.ts'

/**
 * The text of a field, whose name is one of ours.
 * @param bytes a character for each
 * @throws StowageError `invalid` for a field that is no text, is written in a charset that is not known, or not in its own
 */
export function fieldText({ name, contentType }: Pick<PartHead, 'name' | 'contentType'>, bytes: string): string {
  const type = contentType ? mediaType(contentType) : undefined
  if (contentType && type?.essence !== 'text/plain')
    throw new StowageError('invalid', 'A field has a type other than text/plain. Send it as text, files with a name.')
  const charset = type?.params.get('charset')?.toLowerCase() ?? 'utf-8'
  if (charset === 'iso-8859-1') return bytes
  if (charset !== 'utf-8' && charset !== 'us-ascii')
    throw new StowageError('invalid', 'A field is written in a charset that is not known here. Send it as UTF-8.')
  const buffer = Buffer.from(bytes, 'latin1')
  if (!isUtf8(buffer)) throw new StowageError('invalid', `The field "${name}" is not valid UTF-8. Encode it so.`)
  return buffer.toString()
}

function mediaType(text: string): MIMEType | undefined {
  try {
    return new MIMEType(text)
  } catch {
    return undefined
  }
}
