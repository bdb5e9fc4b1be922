import { Transform, type TransformCallback } from 'node:stream'
import { quoted, StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { unreadable } from './disposition.ts'
import { GatheredHead } from './gathered-head.ts'
import { type PartHead, readPartHead } from './part-head.ts'

const nothing = Buffer.alloc(0)
const lineBreak = Buffer.from('\r\n')
const carriageReturn = 0x0d

/** The heads under which the parser gets every part; `takeHead` has the real names. */
const fileHead = 'Content-Disposition: form-data; name="p"; filename="f"\r\n\r\n'
const fieldHead = 'Content-Disposition: form-data; name="p"\r\nContent-Type: text/plain; charset=latin1\r\n\r\n'

export interface CanonicalFormOptions {
  boundary: string
  /** Told of each part when its head has come. What it throws refuses the form. */
  onHead(head: PartHead): void
  /** Called once, as soon as the body turns out to be no form, or breaks a limit. A form that only ends early is not whole. */
  refuse(error: unknown): void
}

/**
 * Reads a multipart body (RFC 2046 section 5.1.1) strictly, in time that grows with its length alone, and writes it anew:
 * the same parts with the same bytes, each under a head of our own making and nothing around them. So the parser behind it
 * has nothing left to understand otherwise, to pass over or to keep.
 *
 * A file whose name and body are both empty is what a browser sends for an input that nobody filled; it is left out.
 */
export class CanonicalForm extends Transform {
  readonly #delimiter: Buffer
  readonly #options: CanonicalFormOptions
  /** What begins a delimiter, perhaps, at the end of what has come. A boundary begins a line, the first one too. */
  #held: Buffer = lineBreak
  /** Takes what has come, and returns what it leaves to the next step. */
  #step: (bytes: Buffer) => Buffer = this.#passOutside
  readonly #gathered = new GatheredHead()
  /** Of the parts that were written and not taken yet. */
  readonly #heads: PartHead[] = []
  /** The part that is being read. */
  #part: PartHead | undefined
  #isWritten = false
  /** Whether the boundary is written that the next head, or the end, follows. */
  #isDelimited = false
  /** Bytes that come next and belong to the blank line before the body. */
  #skip = 0
  /** Bytes outside of all parts, of the field at hand, and of all fields. */
  readonly #count = { outside: 0, field: 0, fields: 0 }

  constructor(options: CanonicalFormOptions) {
    // No more is kept than the chunk at hand.
    super({ readableHighWaterMark: 1, writableHighWaterMark: 1 })
    this.#options = options
    this.#delimiter = Buffer.from(`\r\n--${options.boundary}`)
  }

  /** Whether the last boundary has come. */
  get isWhole(): boolean {
    return this.#step === this.#passEnd
  }

  /** The head of the next part, in the order in which the parser hands them out. */
  takeHead(): PartHead | undefined {
    return this.#heads.shift()
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let rest = this.#joined(chunk)
    try {
      while (rest.length > 0) rest = this.#step(rest)
    } catch (error) {
      this.#stop(error)
    }
    done()
  }

  /** The held bytes and the chunk. Nearly every form begins with its boundary: such a chunk is not copied to join the two. */
  #joined(chunk: Buffer): Buffer {
    const held = this.#held
    this.#held = nothing
    if (held.length === 0) return chunk
    const length = this.#delimiter.length - lineBreak.length
    const isAtStart = held === lineBreak && chunk.length >= length
    if (!isAtStart || chunk.compare(this.#delimiter, lineBreak.length, undefined, 0, length) !== 0)
      return Buffer.concat([held, chunk])
    this.#step = this.#readHead
    return chunk.subarray(length)
  }

  #stop(error: unknown): void {
    this.#step = this.#passNothing
    this.#options.refuse(error)
  }

  #passNothing(): Buffer {
    return nothing
  }

  /** The preamble: it means nothing. */
  #passOutside(bytes: Buffer): Buffer {
    const end = this.#findDelimiter(bytes)
    this.#countOutside(end.at)
    return this.#afterDelimiter(bytes, end)
  }

  /** What comes after the closing boundary: it means nothing. */
  #passEnd(bytes: Buffer): Buffer {
    this.#countOutside(bytes.length)
    return nothing
  }

  #passBody(bytes: Buffer): Buffer {
    const end = this.#findDelimiter(bytes)
    this.#write(bytes.subarray(this.#skip, end.at))
    this.#skip = Math.max(0, this.#skip - end.at)
    return this.#afterDelimiter(bytes, end)
  }

  /** Where the delimiter begins, or where bytes begin that may be the beginning of one. */
  #findDelimiter(bytes: Buffer): { at: number; isWhole: boolean } {
    const whole = bytes.indexOf(this.#delimiter)
    if (whole !== -1) return { at: whole, isWhole: true }
    let at = bytes.indexOf(carriageReturn, Math.max(0, bytes.length - this.#delimiter.length + 1))
    while (at !== -1 && bytes.compare(this.#delimiter, 0, bytes.length - at, at) !== 0)
      at = bytes.indexOf(carriageReturn, at + 1)
    return { at: at === -1 ? bytes.length : at, isWhole: false }
  }

  /** The parser hands a part out when its boundary comes: it is not to wait for the next head, which may never come. */
  #endPart(): void {
    if (this.#isWritten) this.#writeDelimiter()
    this.#isWritten = false
  }

  #writeDelimiter(): void {
    if (!this.#isDelimited) this.push(this.#delimiter)
    this.#isDelimited = true
  }

  #afterDelimiter(bytes: Buffer, { at, isWhole }: { at: number; isWhole: boolean }): Buffer {
    if (isWhole) {
      this.#endPart()
      this.#step = this.#readHead
      return bytes.subarray(at + this.#delimiter.length)
    }
    // Copied, or these few bytes would keep the whole chunk in memory.
    this.#held = Buffer.from(bytes.subarray(at))
    return nothing
  }

  /** From behind a boundary to the blank line, unless it is the last boundary. */
  #readHead(bytes: Buffer): Buffer {
    const { head, isLast, taken } = this.#gathered.add(bytes)
    if (isLast) {
      this.#writeDelimiter()
      this.push(Buffer.from('--\r\n'))
      this.#step = this.#passEnd
    } else if (head) {
      if (head.includes(this.#delimiter)) throw unreadable('no blank line ends them')
      this.#begin(readPartHead(head))
      // The boundary after a part that is empty may begin with the line break of its blank line.
      return taken < 2 ? Buffer.concat([lineBreak, bytes.subarray(taken)]) : bytes.subarray(taken - lineBreak.length)
    }
    return bytes.subarray(taken)
  }

  #begin(head: PartHead): void {
    this.#options.onHead(head)
    this.#part = head
    this.#isWritten = false
    this.#count.field = 0
    this.#skip = lineBreak.length
    this.#step = this.#passBody
    if (head.fileName !== '') this.#writeHead(head)
  }

  #writeHead(head: PartHead): void {
    this.#isWritten = true
    this.#heads.push(head)
    this.#writeDelimiter()
    this.push(Buffer.from(`\r\n${head.isFile ? fileHead : fieldHead}`))
    this.#isDelimited = false
  }

  #write(bytes: Buffer): void {
    const head = this.#part
    if (head === undefined || bytes.length === 0) return
    if (!this.#isWritten) this.#writeHead(head)
    if (!head.isFile) this.#countField(bytes.length, head.name)
    this.push(bytes)
  }

  #countOutside(length: number): void {
    this.#count.outside += length
    if (this.#count.outside > limits.formPreamble)
      throw new StowageError(
        'too_large',
        `More than ${limits.formPreamble} bytes of the form are in none of its parts. Let your HTTP client write it.`,
      )
  }

  #countField(length: number, name: string): void {
    this.#count.field += length
    this.#count.fields += length
    if (this.#count.field > limits.formField)
      throw new StowageError('too_large', `The field ${quoted(name)} is longer than ${limits.formField} bytes.`, {
        reason: `A field is longer than ${limits.formField} bytes.`,
      })
    if (this.#count.fields > limits.formFields)
      throw new StowageError('too_large', `The fields are longer than ${limits.formFields} bytes together. Send fewer.`)
  }
}
