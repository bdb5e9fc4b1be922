import type { IncomingMessage } from 'node:http'
import { StowageError } from '../../errors.ts'

/**
 * Emitted on a request whose body cannot go on, although its connection can still carry an answer: the client has closed
 * only its side, or what it sends is not HTTP.
 */
export const brokenOff = 'brokenOff'

/** A request body that is arriving, until disposed. */
export interface Transfer extends Disposable {
  /** Aborts when the client hangs up, or sends no byte for the idle time although we are reading. */
  signal: AbortSignal
}

/** @param idleSeconds longest silence that is taken from the client */
export function openTransfer(request: IncomingMessage, idleSeconds: number): Transfer {
  const ending = new AbortController()
  // A body may have come whole and yet be lost: what was not read when the connection closed is thrown away.
  const onEnd = () => {
    if (!request.readableEnded) ending.abort(hungUp())
  }
  request.once('close', onEnd)
  request.once(brokenOff, onEnd)
  if (request.destroyed) onEnd()
  const stopWatching = watchSilence(request, idleSeconds, () => ending.abort(idle(idleSeconds)))
  return {
    signal: ending.signal,
    [Symbol.dispose]() {
      request.off('close', onEnd)
      request.off(brokenOff, onEnd)
      stopWatching()
    },
  }
}

export function hungUp(cause?: unknown): StowageError {
  return new StowageError('invalid', 'The connection closed before the last byte arrived. Send it again.', {
    cause,
  })
}

function idle(seconds: number): StowageError {
  return new StowageError('timeout', `No byte arrived for ${seconds} s. Send it again.`)
}

/** Silence counts only while we read: a client that is held back because the store is slow is not idle. */
function watchSilence(request: IncomingMessage, seconds: number, onSilence: () => void): () => void {
  let seen = request.socket.bytesRead
  let lastByteAt = performance.now()
  const timer = setInterval(
    () => {
      const { bytesRead } = request.socket
      const isHeldBack = request.readableLength > 0
      if (bytesRead !== seen || isHeldBack || request.complete) {
        seen = bytesRead
        lastByteAt = performance.now()
      } else if (performance.now() - lastByteAt >= seconds * 1000) {
        onSilence()
      }
    },
    Math.min(1000, seconds * 250),
  )
  timer.unref()
  return () => clearInterval(timer)
}
