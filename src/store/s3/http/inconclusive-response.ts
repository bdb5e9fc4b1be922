import type { IncomingMessage } from 'node:http'
import { saysDiskFull } from './failure.ts'
import type { StreamedBytes } from './payload.ts'

/** Statuses above 500 that say for certain that nothing was done: not implemented, full. */
export const finalStatuses: ReadonlySet<number> = new Set([501, 507])

/** Bytes of a response that are searched. */
const searchedBytes = 16 * 1024

/** @throws Error for a failure after the first byte has left, and for a success before the last byte has left */
export async function requirePlausible(
  statusCode: number,
  body: IncomingMessage,
  { isBegun, isWhole }: StreamedBytes,
): Promise<void> {
  const isEarlySuccess = statusCode < 300 && !isWhole
  if (!isEarlySuccess && (statusCode < 500 || finalStatuses.has(statusCode) || !isBegun)) return
  const place = isEarlySuccess ? 'before it had' : 'to'
  throw await inconclusive(body, `The object store answered ${statusCode} ${place} the bytes`)
}

/**
 * The error for a response after which the outcome of the request is unknown. Consumes the response.
 * @param message of the error
 * @returns an error with the code `ENOSPC` when the response reports a full disk
 */
export async function inconclusive(response: IncomingMessage, message: string): Promise<Error> {
  const error = new Error(message)
  return saysDiskFull(await readBeginning(response)) ? Object.assign(error, { code: 'ENOSPC' }) : error
}

/** The part of a response that arrives: the response may break off or fall silent. */
async function readBeginning(response: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of response) {
      text += chunk
      if (text.length > searchedBytes) break
    }
  } catch {
    // The text that arrived before is searched.
  } finally {
    response.destroy()
  }
  return text
}
