import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { StowageError } from '#domain/errors.ts'

/** What a file is answered with. */
export interface FileAnswer {
  status: number
  headers: Record<string, string>
  body: Readable
  /** Bytes of the body, at least one. */
  size: number
}

/**
 * Sends a head and exactly `size` bytes of `body`. The head leaves with the first byte: until then a store
 * that fails is answered with an error. From there on, one that fails or sends another number of bytes breaks the
 * connection, so that what came never looks like the file. However it ends, `body` is closed.
 *
 * Fastify would take a failing stream for something to answer with the headers of the file as long as no byte has been
 * written. Node's `pipeline` would add a quarter to the CPU of a small file.
 * @throws StowageError `storage_unavailable` before the first byte
 */
export async function sendBytes(reply: FastifyReply, { status, headers, body, size }: FileAnswer): Promise<void> {
  const { raw } = reply
  const begin = () => {
    reply.hijack()
    raw.writeHead(status, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...headers })
  }
  try {
    await copy(body, raw, size, begin)
  } catch (cause) {
    if (!raw.headersSent)
      throw new StowageError('storage_unavailable', 'The file cannot be read now. Try again in a moment.', { cause })
    if (raw.closed) reply.log.info('the client left in the middle of a download')
    else reply.log.error({ err: cause }, 'the store failed in the middle of a download')
    raw.destroy()
  }
}

/** Ends the response after exactly `size` bytes. @param begin called before the first one is written */
function copy(body: Readable, response: ServerResponse, size: number, begin: () => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const fail = (error: Error) => {
    body.destroy()
    reject(error)
  }
  const onClose = () => fail(new Error('The connection was closed'))
  let count = 0
  body.on('data', (chunk: Buffer) => {
    // An answer of the store that is destroyed may bring another chunk.
    if (response.destroyed) return
    if (count === 0) begin()
    count += chunk.length
    if (count > size) return fail(new Error(`The store sent more than the ${size} bytes promised`))
    corkUntilNextTurn(response)
    if (!response.write(chunk)) body.pause()
  })
  body.once('end', () => {
    if (count < size) fail(new Error(`The store sent ${count} bytes, not the ${size} promised`))
    else resolve()
  })
  body.once('error', fail)
  response.on('drain', () => body.resume())
  response.once('close', onClose)
  if (response.destroyed) onClose()
  return promise.then(() => void response.end())
}

/** What comes from the store in one turn of the event loop leaves in one call to the kernel: half the CPU of a large file. */
function corkUntilNextTurn(response: ServerResponse): void {
  if (response.writableCorked > 0) return
  response.cork()
  setImmediate(() => response.uncork())
}
