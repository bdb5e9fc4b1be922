import type { Socket } from 'node:net'
import { openRequest } from '../../kit/multipart.ts'

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
  readonly #closed: Promise<void>
  #received = ''
  #sent = 0

  constructor(url: string, { method, path, headers, body, isChunked }: RawRequest) {
    const framing = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length }
    this.#socket = openRequest(url, method, path, { ...headers, ...framing, connection: 'close' })
    this.#body = body
    this.#isChunked = isChunked
    this.#closed = new Promise((resolve) => this.#socket.once('close', () => resolve()))
    // A reset shows in that there is no answer.
    this.#socket.on('error', () => {})
    this.#socket.setEncoding('utf8').on('data', (text) => {
      this.#received += text
    })
  }

  /** Bytes of the body. */
  get length(): number {
    return this.#body.length
  }

  get isClosed(): boolean {
    return this.#socket.closed
  }

  /** Resolves when the socket has taken the body up to here, or is closed. */
  async sendUpTo(end: number): Promise<void> {
    while (this.#sent < end && !this.#socket.destroyed) {
      const next = this.#body.subarray(this.#sent, Math.min(this.#sent + piece, end))
      this.#sent += next.length
      if (this.#isChunked) this.#socket.write(`${next.length.toString(16)}\r\n`)
      const isTaken = this.#socket.write(next)
      if (this.#isChunked) this.#socket.write('\r\n')
      if (!isTaken) await this.#drained()
    }
  }

  /** Sends what is left and reads the answer. */
  async finish(): Promise<Answer> {
    await this.sendUpTo(this.#body.length)
    if (this.#isChunked && !this.#socket.destroyed) this.#socket.write('0\r\n\r\n')
    return this.answered()
  }

  /** Resolves when the connection has ended. */
  async answered(): Promise<Answer> {
    await this.#closed
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(this.#received)?.[1]
    const body = this.#received.slice(this.#received.indexOf('\r\n\r\n') + 4)
    return { status: status === undefined ? undefined : Number(status), body }
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

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#socket.off('drain', done).off('close', done)
        resolve()
      }
      this.#socket.once('drain', done).once('close', done)
    })
  }
}
