import { openRequest, parseAnswer, readBytes } from '../../kit/raw-http.ts'
import type { Address } from './downloads.ts'

/** Everything that came over the wire for one request on a connection of its own. */
export interface RawDownload {
  status: number
  /** The Content-Length that was promised. */
  promised: number
  /** The bytes after the head, whatever was promised. */
  body: Buffer
  head: string
}

/** Asks for a file on a bare socket, and reads until the server closes the connection or has sent all it promised. */
export async function downloadRaw({ url, headers }: Address, more: Record<string, string> = {}): Promise<RawDownload> {
  const { origin, pathname, search } = new URL(url)
  const socket = openRequest(origin, 'GET', pathname + search, { ...headers, ...more, connection: 'close' })
  const bytes = await readBytes(socket)
  const end = bytes.indexOf('\r\n\r\n')
  const head = bytes.subarray(0, end).toString('latin1')
  const { status, headers: answered } = parseAnswer(head)
  return { status, promised: Number(answered['content-length']), body: bytes.subarray(end + 4), head }
}
