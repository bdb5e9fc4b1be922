import type { Socket } from 'node:net'
import { chunkOf, lastChunk } from '../../kit/multipart.ts'
import { openRequest, parseAnswer, readBytes } from '../../kit/raw-http.ts'
import { written } from '../../kit/slow-upload.ts'

const piece = 64 * 1024

export interface RawRequest {
  method: string
  path: string
  headers: Record<string, string | number>
  body: Buffer
  /** In chunked transfer coding, which tells nobody how long the body is. */
  isChunked: boolean
}

/** What a server answered. */
export interface Answer {
  /** `undefined` when the connection ended without an answer. */
  status: number | undefined
  body: string
}

/** A request whose body is sent as far as a step says. */
export class Sending {
  readonly #socket: Socket
  readonly #body: Buffer
  readonly #isChunked: boolean
  readonly #received: Promise<Buffer>
  #sent = 0

  constructor(url: string, { method, path, headers, body, isChunked }: RawRequest) {
    const framing = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length }
    this.#socket = openRequest(url, method, path, { ...headers, ...framing, connection: 'close' })
    this.#body = body
    this.#isChunked = isChunked
    // A reset shows in that there is no answer.
    this.#received = readBytes(this.#socket)
  }

  /** Bytes of the body. */
  get length(): number {
    return this.#body.length
  }

  get isClosed(): boolean {
    return this.#socket.closed
  }

  /** Resolves when the socket has room for more than the body up to here, or is closed. */
  async sendUpTo(end: number): Promise<void> {
    while (this.#sent < end && !this.#socket.destroyed) {
      const next = this.#body.subarray(this.#sent, Math.min(this.#sent + piece, end))
      this.#sent += next.length
      const hasRoom = this.#socket.write(this.#isChunked ? chunkOf(next) : next)
      // The last piece is not waited for: a step that hangs up may take it back.
      if (!hasRoom) await written(this.#socket, '')
    }
  }

  /** Sends what is left and reads the answer. */
  async finish(): Promise<Answer> {
    await this.sendUpTo(this.#body.length)
    if (this.#isChunked && !this.#socket.destroyed) this.#socket.write(lastChunk)
    return this.answered()
  }

  /** Resolves when the connection has ended. */
  async answered(): Promise<Answer> {
    const received = await this.#received
    return received.length === 0 ? { status: undefined, body: '' } : parseAnswer(received.toString())
  }

  /** Closes only our side: the server can still answer. */
  closeHalf(): Promise<Answer> {
    this.#socket.end()
    return this.answered()
  }

  hangUp(how: 'close' | 'reset'): void {
    if (how === 'reset') this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }
}
