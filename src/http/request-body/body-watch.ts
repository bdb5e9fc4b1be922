import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { Config } from '#config/config.ts'
import { StowageError } from '#domain/errors.ts'
import type { ClientTimeouts } from '#domain/limits.ts'
import { actorOf } from '#domain/principal.ts'
import { bodyBroken, brokenReason } from '#http/connections/broken-body.ts'
import { RateWindow } from '#http/connections/rate-window.ts'
import type { UploadRequest } from '#uploads/incoming-file.ts'

/** A watch over the arrival of a request body, active until it is disposed. */
export interface BodyWatch extends Disposable {
  /**
   * Aborts when the client disconnects, when it is idle for too long or too slow while the server reads, and on `fail`. Its reason
   * is the error.
   */
  signal: AbortSignal
  /** Ends the transfer. The first error becomes the reason of `signal`. */
  fail(error: unknown): void
}

/** The limits on idle and slow clients. */
export interface BodyLimits {
  config: Pick<Config, 'uploadIdleSeconds' | 'minimumRate'>
  timeouts: Pick<ClientTimeouts, 'rateWindow'>
}

/** Watches the arrival of a request body. A body that has already broken off aborts the signal at once. */
export function watchBody(request: IncomingMessage, limits: BodyLimits): BodyWatch {
  const controller = new AbortController()
  const fail = (error: unknown) => controller.abort(error)
  // A completely received body can still be lost: closing the connection discards the bytes that were not read.
  const onClose = () => {
    if (!request.readableEnded) fail(brokenReason(request) ?? connectionClosed())
  }
  request.once('close', onClose)
  request.once(bodyBroken, onClose)
  if (request.destroyed || brokenReason(request)) onClose()
  const stopWatching = watchProgress(request, limits, fail)
  return {
    signal: controller.signal,
    fail,
    [Symbol.dispose]() {
      request.off('close', onClose)
      request.off(bodyBroken, onClose)
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

/** Counts only the time in which the server reads. A client that waits because the store is slow is neither idle nor slow. */
function watchProgress(
  request: IncomingMessage,
  { config: { uploadIdleSeconds, minimumRate }, timeouts: { rateWindow } }: BodyLimits,
  fail: (error: StowageError) => void,
): () => void {
  const window = new RateWindow(minimumRate, rateWindow)
  let countedBytes = request.socket.bytesRead
  let lastByteAt = performance.now()
  let checkedAt = lastByteAt
  const check = () => {
    const { bytesRead } = request.socket
    const now = performance.now()
    const isHeldBack = request.readableLength > 0
    if (bytesRead !== countedBytes || isHeldBack || request.complete) lastByteAt = now
    if (!isHeldBack && !request.complete) window.count(bytesRead - countedBytes, now - checkedAt)
    countedBytes = bytesRead
    checkedAt = now
    if (now - lastByteAt >= uploadIdleSeconds * 1000) fail(idle(uploadIdleSeconds))
    else if (window.isTooSlow) fail(tooSlow(minimumRate, rateWindow))
  }
  const timer = setInterval(check, Math.min(1000, uploadIdleSeconds * 250, rateWindow / 30))
  timer.unref()
  return () => clearInterval(timer)
}

/** The request for the upload service, with the signal of its body's watch. */
export function uploadRequestOf({ principal, id }: FastifyRequest, { signal }: BodyWatch): UploadRequest {
  return { actor: actorOf(principal), credential: principal.credential, signal, requestId: id }
}
