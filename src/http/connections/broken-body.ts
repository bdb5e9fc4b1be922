import type { IncomingMessage } from 'node:http'
import type { StowageError } from '#domain/errors.ts'

/**
 * Emitted on a request whose body cannot go on, although its connection can still carry an answer: the client has closed
 * only its side, or what it sends is not HTTP, or too costly.
 */
export const bodyBroken = 'brokenOff'

const reasons = new WeakMap<IncomingMessage, StowageError>()

/** Ends the body of a request, whoever reads it by now or begins to later. @returns whether anybody does by now */
export function breakBody(request: IncomingMessage, reason: StowageError): boolean {
  reasons.set(request, reason)
  return request.emit(bodyBroken)
}

/** Why the body of a request was ended by us, if it was. */
export function brokenReason(request: IncomingMessage): StowageError | undefined {
  return reasons.get(request)
}
