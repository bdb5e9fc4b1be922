import { StowageError } from '../../errors.ts'

/** Most bytes that belong to no part's body: the headers of one, what precedes the first, what follows the last. */
const longestMargin = 16 * 1024
const lineBreak = Buffer.from('\r\n')
const blankLine = Buffer.from('\r\n\r\n')

/**
 * Takes a multipart body (RFC 2046 section 5.1.1) apart while it arrives, and reads no further than it is asked to.
 * Nothing that comes between boundaries is passed over: what is no part as the RFC says breaks the body.
 */
export class PartReader {
  readonly #source: AsyncIterator<Buffer>
  readonly #delimiter: Buffer
  /** Arrived and not handed on. A boundary begins a line, also when it begins the body. */
  #held: Buffer = lineBreak
  #begun = false

  constructor(source: AsyncIterator<Buffer>, boundary: string) {
    this.#source = source
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
  }

  /**
   * The headers of the next part, or `undefined` when the closing boundary has come and the body has ended too. The part
   * before must have been read to its end.
   * @throws StowageError for a body that is broken; the source's error
   */
  async nextPart(): Promise<Buffer | undefined> {
    if (!this.#begun) await this.#skipPreamble()
    this.#begun = true
    while (this.#held.length < 2) await this.#pull()
    if (this.#held.toString('latin1', 0, 2) === '--') return this.#skipEpilogue()
    await this.#endBoundaryLine()
    return this.#readHeaders()
  }

  /** The next bytes of the part, or `undefined` at its end. @throws StowageError for a body that is broken; the source's error */
  async read(): Promise<Buffer | undefined> {
    while (true) {
      const found = this.#held.indexOf(this.#delimiter)
      if (found === 0) {
        this.#take(this.#delimiter.length)
        return undefined
      }
      const end = found === -1 ? this.#possibleDelimiter() : found
      if (end > 0) return this.#take(end)
      await this.#pull()
    }
  }

  async #skipPreamble(): Promise<void> {
    let length = 0
    for (let bytes = await this.read(); bytes !== undefined; bytes = await this.read()) {
      length += bytes.length
      if (length > longestMargin) throw broken()
    }
  }

  /** The body has to end by itself: until it has, it may yet turn out to be shorter than the request says. */
  async #skipEpilogue(): Promise<undefined> {
    let length = this.#held.length
    while (length <= longestMargin) {
      const { done, value } = await this.#source.next()
      if (done) return undefined
      length += value.length
    }
    throw broken()
  }

  /** RFC 2046 allows blanks after the boundary. The line break stays, so that headers begin with one. */
  async #endBoundaryLine(): Promise<void> {
    while (!this.#held.includes(lineBreak)) {
      if (this.#held.length > longestMargin) throw broken()
      await this.#pull()
    }
    const blanks = this.#take(this.#held.indexOf(lineBreak))
    if (!/^[ \t]*$/.test(blanks.toString('latin1'))) throw broken()
  }

  async #readHeaders(): Promise<Buffer> {
    while (!this.#held.includes(blankLine)) {
      if (this.#held.length > longestMargin) throw tooLong()
      await this.#pull()
    }
    const end = this.#held.indexOf(blankLine)
    if (end > longestMargin) throw tooLong()
    const headers = this.#take(end + blankLine.length)
    return headers.subarray(lineBreak.length, end)
  }

  /** Where bytes begin that may turn out to be a delimiter when more arrive: it holds no line break but its first. */
  #possibleDelimiter(): number {
    const from = Math.max(0, this.#held.length - this.#delimiter.length + 1)
    const tail = this.#held.subarray(from)
    const start = tail.lastIndexOf('\r')
    const isPossible = start !== -1 && this.#delimiter.indexOf(tail.subarray(start)) === 0
    return isPossible ? from + start : this.#held.length
  }

  #take(length: number): Buffer {
    const taken = this.#held.subarray(0, length)
    this.#held = this.#held.subarray(length)
    return taken
  }

  async #pull(): Promise<void> {
    const { done, value } = await this.#source.next()
    if (done) throw broken()
    this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value])
  }
}

function broken(): StowageError {
  return new StowageError('invalid', 'The multipart body is broken or ends before its closing boundary. Send it again.')
}

function tooLong(): StowageError {
  return new StowageError('too_large', `A part has more than ${longestMargin} bytes of headers. Send fewer.`)
}
