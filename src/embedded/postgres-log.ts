import { ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'

/** Bytes after which the log starts over. */
const LOG_LIMIT = 16 * 1024 * 1024

/** What Postgres says of itself, kept out of the terminal. */
export interface PostgresLog {
  readonly file: string
  write(text: string): void
  /** The last lines, for an error message. */
  tail(): string
}

/** Opens `file` empty: the log is that of this run. */
export function openPostgresLog(file: string): PostgresLog {
  const descriptor = openSync(file, 'a', 0o600)
  ftruncateSync(descriptor)
  let size = 0
  return {
    file,
    write(text) {
      size += Buffer.byteLength(text)
      if (size > LOG_LIMIT) {
        ftruncateSync(descriptor)
        size = Buffer.byteLength(text)
      }
      writeSync(descriptor, text)
    },
    tail: () => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-12).join('\n'),
  }
}
