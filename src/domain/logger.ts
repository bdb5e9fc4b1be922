/** One line of the log, with details where there are some. */
interface LogLine {
  (details: object, message: string): void
  (message: string): void
}

/** The log as the layers below HTTP see it. */
export interface Logger {
  info: LogLine
  warn: LogLine
  error: LogLine
  fatal: LogLine
}
