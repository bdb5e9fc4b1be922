/** Writes one log line, with optional details. */
interface LogLine {
  (details: object, message: string): void
  (message: string): void
}

/** The log of the layers below HTTP. */
export interface Logger {
  info: LogLine
  warn: LogLine
  error: LogLine
  fatal: LogLine
}
