import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { type Logger, type LoggerOptions, pino } from 'pino'
import { isQueryError } from '#persistence/connection/errors.ts'

/**
 * JSON lines with a request id. Of a request only method and route are logged, since the address itself can hold file
 * names and signatures; of an error its kind, never the values of a query.
 */
export function loggerOptions(level: string): LoggerOptions {
  return {
    level,
    // @fastify/multipart traces the headers it was given, the cookie among them.
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

/** A log of its own, for a process without a server. */
export function createLogger(level: string): Logger {
  return pino(loggerOptions(level))
}

/** One line a request, when it has been answered, instead of Fastify's two. */
export class OneLineARequest extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const line = { req: request, res: reply, responseTime: reply.elapsedTime }
    if (error) reply.log.error({ ...line, err: error }, 'request errored')
    else reply.log.info(line, 'request completed')
  }
}

/** Error-like things of libraries too: type, code and frames of every cause. */
function describeError(error: unknown): { type: string; message: string; stack: string; [key: string]: unknown } {
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an Error', stack: '' }
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  return {
    type: error.name,
    // The message of a query error holds the query and its parameters, file names and digests among them.
    message: isQueryError(error) ? 'a query failed' : error.message,
    stack: frames.join('\n'),
    ...('code' in error && { code: error.code }),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  }
}

/**
 * Thins out log lines about events that can come a thousand times a second: the first event is logged, and later ones at most
 * once an interval.
 * @param interval milliseconds
 * @returns calls `tell` when a line is due, with the number of events since the line before
 */
export function throttleLog(interval: number): (tell: (untold: number) => void) => void {
  let toldAt = Number.NEGATIVE_INFINITY
  let untold = 0
  return (tell) => {
    if (performance.now() - toldAt < interval) {
      untold += 1
      return
    }
    toldAt = performance.now()
    tell(untold)
    untold = 0
  }
}
