import type { IncomingMessage } from 'node:http'

/** Whether a request has a body of at least one byte, as far as its head tells. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'] ?? '0'
  return headers['transfer-encoding'] !== undefined || Number(length) > 0
}
