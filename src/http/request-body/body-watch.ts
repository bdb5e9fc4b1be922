import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { Config } from '#config/config.ts'
import { StowageError } from '#domain/errors.ts'
import type { ClientTimeouts } from '#domain/limits.ts'
import { actorOf } from '#domain/principal.ts'
import { bodyBroken, brokenReason } from '#http/connections/broken-body.ts'
import { RateWindow } from '#http/connections/rate-window.ts'
import type { UploadRequest } from '#uploads/incoming-file.ts'

/** The watch over a request body that is arriving, until disposed. */
export interface BodyWatch extends Disposable {
  /** Aborts when the client hangs up, or sends no byte for the idle time, or too few, although the server is reading; or by `fail`. */
  signal: AbortSignal
  /** Ends the transfer with an error. The first error is the reason of `signal`. */
  fail(error: unknown): void
}

/** How slow a client may be. */
export interface BodyLimits {
  config: Pick<Config, 'uploadIdleSeconds' | 'minimumRate'>
  timeouts: Pick<ClientTimeouts, 'rateWindow'>
}

export function watchBody(request: IncomingMessage, limits: BodyLimits): BodyWatch {
  const ending = new AbortController()
  const fail = (error: unknown) => ending.abort(error)
  // A body may have come whole and yet be lost: bytes that were not read when the connection closed are thrown away.
  const onEnd = () => {
    if (!request.readableEnded) fail(brokenReason(request) ?? connectionClosed())
  }
  request.once('close', onEnd)
  request.once(bodyBroken, onEnd)
  if (request.destroyed || brokenReason(request)) onEnd()
  const stopWatching = watchProgress(request, limits, fail)
  return {
    signal: ending.signal,
    fail,
    [Symbol.dispose]() {
      request.off('close', onEnd)
      request.off(bodyBroken, onEnd)
      stopWatching()
    },
  }
}

export function connectionClosed(cause?: unknown): StowageError {
  return new StowageError('invalid', 'The connection closed before the last byte arrived. Send it again.', {
    cause,
  })
}

function idle(seconds: number): StowageError {
  return new StowageError('timeout', `No byte arrived for ${seconds} s. Send it again.`)
}

function tooSlow(bytesPerSecond: number, window: number): StowageError {
  const seconds = window / 1000
  return new StowageError(
    'timeout',
    `The bytes came too slowly: fewer than ${bytesPerSecond} a second over ${seconds} s. Send it again.`,
  )
}

/** Only the time counts in which we read: a client that is held back because the store is slow is neither idle nor slow. */
function watchProgress(
  request: IncomingMessage,
  { config: { uploadIdleSeconds, minimumRate }, timeouts: { rateWindow } }: BodyLimits,
  onEnd: (error: StowageError) => void,
): () => void {
  const window = new RateWindow(minimumRate, rateWindow)
  let seen = request.socket.bytesRead
  let lastByteAt = performance.now()
  let lookedAt = lastByteAt
  const look = () => {
    const { bytesRead } = request.socket
    const now = performance.now()
    const isHeldBack = request.readableLength > 0
    if (bytesRead !== seen || isHeldBack || request.complete) lastByteAt = now
    if (!isHeldBack && !request.complete) window.count(bytesRead - seen, now - lookedAt)
    seen = bytesRead
    lookedAt = now
    if (now - lastByteAt >= uploadIdleSeconds * 1000) onEnd(idle(uploadIdleSeconds))
    else if (window.isTooSlow) onEnd(tooSlow(minimumRate, rateWindow))
  }
  const timer = setInterval(look, Math.min(1000, uploadIdleSeconds * 250, rateWindow / 30))
  timer.unref()
  return () => clearInterval(timer)
}

/** The uploader's view of a request whose body is being watched. */
export function uploadRequestOf({ principal, id }: FastifyRequest, { signal }: BodyWatch): UploadRequest {
  return { actor: actorOf(principal), credential: principal.credential, signal, requestId: id }
}
