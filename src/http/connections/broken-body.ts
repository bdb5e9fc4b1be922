import type { IncomingMessage } from 'node:http'
import type { StowageError } from '#domain/errors.ts'

/**
 * Emitted on a request whose body ends early although its connection can still carry a response: the client closed only its side,
 * or sent bytes that are not HTTP or are too costly.
 */
export const bodyBroken = 'brokenOff'

const reasons = new WeakMap<IncomingMessage, StowageError>()

/**
 * Ends the body of a request for its reader, present or future.
 * @returns whether the body already has a reader
 */
export function breakBody(request: IncomingMessage, reason: StowageError): boolean {
  reasons.set(request, reason)
  return request.emit(bodyBroken)
}

/** The reason with which `breakBody` ended the body of a request, if it did. */
export function brokenReason(request: IncomingMessage): StowageError | undefined {
  return reasons.get(request)
}
