import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { type Logger, type LoggerOptions, pino } from 'pino'
import { isQueryError } from '#persistence/connection/errors.ts'

/**
 * Options for a log of JSON lines with a request id. A request is logged by its method and route, since its URL can hold file
 * names and signatures. An error is logged without the parameters of its query.
 */
export function loggerOptions(level: string): LoggerOptions {
  return {
    level,
    // @fastify/multipart logs the headers of a request, including the cookie, at the level `trace`.
    redact: { paths: ['busboyOptions.headers'], remove: true },
    serializers: {
      req: (request: FastifyRequest) => ({
        method: request.method,
        route: request.routeOptions?.url ?? null,
        remoteAddress: request.ip,
      }),
      err: describeError,
    },
  }
}

/** Creates a logger for a process without a server. */
export function createLogger(level: string): Logger {
  return pino(loggerOptions(level))
}

/** Logs one line per request, when its response is complete, instead of Fastify's two. */
export class OneLineARequest extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const line = { req: request, res: reply, responseTime: reply.elapsedTime }
    if (error) reply.log.error({ ...line, err: error }, 'request errored')
    else reply.log.info(line, 'request completed')
  }
}

/** Serializes an error and each of its causes: type, message, code and stack frames. */
function describeError(error: unknown): { type: string; message: string; stack: string; [key: string]: unknown } {
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an Error', stack: '' }
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  return {
    type: error.name,
    // The message of a query error holds the query and its parameters, including file names and digests.
    message: isQueryError(error) ? 'a query failed' : error.message,
    stack: frames.join('\n'),
    ...('code' in error && { code: error.code }),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  }
}

/**
 * Throttles log lines about events that can occur a thousand times a second. The first event is logged, later ones at most once
 * per interval.
 * @param interval milliseconds
 * @returns a function that calls `log` when a line is due, with the number of events suppressed since the previous line
 */
export function throttleLog(interval: number): (log: (suppressed: number) => void) => void {
  let loggedAt = Number.NEGATIVE_INFINITY
  let suppressed = 0
  return (log) => {
    if (performance.now() - loggedAt < interval) {
      suppressed += 1
      return
    }
    loggedAt = performance.now()
    log(suppressed)
    suppressed = 0
  }
}
