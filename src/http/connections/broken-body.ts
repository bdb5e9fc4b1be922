import type { IncomingMessage } from 'node:http'
import type { StowageError } from '#domain/errors.ts'

/**
 * Emitted on a request whose body cannot go on, although its connection can still carry an answer: the client has closed
 * only its side, or what it sends is not HTTP, or too costly.
 */
export const brokenOff = 'brokenOff'

const reasons = new WeakMap<IncomingMessage, StowageError>()

/** Ends the body of a request, whoever reads it by now or begins to later. @returns whether anybody does by now */
export function breakOff(request: IncomingMessage, reason: StowageError): boolean {
  reasons.set(request, reason)
  return request.emit(brokenOff)
}

/** Why the body of a request was ended by us, if it was. */
export function whyBroken(request: IncomingMessage): StowageError | undefined {
  return reasons.get(request)
}
