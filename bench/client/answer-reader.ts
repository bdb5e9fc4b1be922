import { createHash, type Hash } from 'node:crypto'

export interface Answer {
  status: number
  /** Length of the body. */
  bytes: number
  /** The body, if it is short. */
  text: string
  /** Of the body, in hex, if it was wanted. */
  sha256: string | undefined
}

/** Bodies up to so many bytes are kept: what servers say, rather than files. */
const longestText = 16_384

/** Reads one HTTP answer of declared length. */
export class AnswerReader {
  readonly answer: Promise<Answer>
  readonly #settle = Promise.withResolvers<Answer>()
  readonly #digest: Hash | undefined
  #head = Buffer.alloc(0)
  #status = 0
  #length: number | undefined
  #bytes = 0
  #kept: Buffer[] = []

  constructor(wantsSha256: boolean) {
    this.answer = this.#settle.promise
    this.#digest = wantsSha256 ? createHash('sha256') : undefined
  }

  fail(error: Error): void {
    this.#settle.reject(error)
  }

  take(bytes: Buffer): void {
    const body = this.#length === undefined ? this.#readHead(bytes) : bytes
    if (this.#length === undefined || body === undefined) return
    this.#bytes += body.length
    this.#digest?.update(body)
    if (this.#length <= longestText) this.#kept.push(body)
    if (this.#bytes > this.#length) this.fail(new Error('The answer is longer than its Content-Length'))
    else if (this.#bytes === this.#length) this.#finish()
  }

  /** @returns what follows the head, once that is complete */
  #readHead(bytes: Buffer): Buffer | undefined {
    this.#head = Buffer.concat([this.#head, bytes])
    const end = this.#head.indexOf('\r\n\r\n')
    if (end === -1) return undefined
    const head = this.#head.toString('latin1', 0, end)
    const length = /^content-length: *(\d+)$/im.exec(head)?.[1]
    this.#status = Number(head.split(' ', 2)[1])
    if (length === undefined) this.fail(new Error(`An answer without Content-Length:\n${head}`))
    else this.#length = Number(length)
    return this.#head.subarray(end + 4)
  }

  #finish(): void {
    const text = Buffer.concat(this.#kept).toString()
    this.#settle.resolve({ status: this.#status, bytes: this.#bytes, text, sha256: this.#digest?.digest('hex') })
  }
}
