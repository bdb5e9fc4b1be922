import { Transform, type TransformCallback } from 'node:stream'
import { quoted, StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { unreadable } from './disposition.ts'
import { GatheredHead } from './gathered-head.ts'
import { type PartHead, readPartHead } from './part-head.ts'

const noBytes = Buffer.alloc(0)
const lineBreak = Buffer.from('\r\n')
const carriageReturn = 0x0d

/** The heads that the parser receives in place of the real ones, which `takeHead` returns. */
const fileHead = 'Content-Disposition: form-data; name="p"; filename="f"\r\n\r\n'
const fieldHead = 'Content-Disposition: form-data; name="p"\r\nContent-Type: text/plain; charset=latin1\r\n\r\n'

export interface CanonicalFormOptions {
  boundary: string
  /** Called for each part when its head is complete. A thrown error refuses the form. */
  onHead(head: PartHead): void
  /** Called once, when the body is found not to be a form or to exceed a limit. For a form that only ends early, see `isWhole`. */
  refuse(error: unknown): void
}

/**
 * Reads a multipart body (RFC 2046 section 5.1.1) strictly and in linear time, and rewrites it in canonical form: the same parts
 * with the same bytes, each under a generated head, without preamble and epilogue. So the parser after it has nothing to
 * interpret differently, to skip or to buffer.
 *
 * A file whose name and body are both empty is left out: a browser sends it for a file input that was not filled.
 */
export class CanonicalForm extends Transform {
  readonly #delimiter: Buffer
  readonly #options: CanonicalFormOptions
  /**
   * The last bytes received, if they may be the beginning of a delimiter. Initially a line break, since the first boundary begins a
   * line too.
   */
  #held: Buffer = lineBreak
  /** The current state of the scanner. It consumes bytes, and returns the rest for the next state. */
  #step: (bytes: Buffer) => Buffer = this.#skipPreamble
  readonly #gathered = new GatheredHead()
  /** The heads of the parts that were written and not yet taken. */
  readonly #heads: PartHead[] = []
  /** The head of the current part. */
  #part: PartHead | undefined
  #isWritten = false
  /** Whether the boundary before the next head, or before the end, is already written. */
  #isDelimited = false
  /** The number of following bytes that belong to the blank line before the body. */
  #skip = 0
  /** Numbers of bytes: outside of all parts, in the current field, and in all fields. */
  readonly #count = { outside: 0, field: 0, fields: 0 }

  constructor(options: CanonicalFormOptions) {
    // Nothing but the current chunk is buffered.
    super({ readableHighWaterMark: 1, writableHighWaterMark: 1 })
    this.#options = options
    this.#delimiter = Buffer.from(`\r\n--${options.boundary}`)
  }

  /** Whether the closing boundary has been read. */
  get isWhole(): boolean {
    return this.#step === this.#skipEpilogue
  }

  /** Removes and returns the head of the next part, in the order in which the parser emits the parts. */
  takeHead(): PartHead | undefined {
    return this.#heads.shift()
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let rest = this.#joinHeld(chunk)
    try {
      while (rest.length > 0) rest = this.#step(rest)
    } catch (error) {
      this.#refuse(error)
    }
    done()
  }

  /**
   * The held bytes followed by the chunk. Nearly every form begins with its boundary, and the first chunk of such a form is not
   * copied.
   */
  #joinHeld(chunk: Buffer): Buffer {
    const held = this.#held
    this.#held = noBytes
    if (held.length === 0) return chunk
    const length = this.#delimiter.length - lineBreak.length
    const isAtStart = held === lineBreak && chunk.length >= length
    if (!isAtStart || chunk.compare(this.#delimiter, lineBreak.length, undefined, 0, length) !== 0)
      return Buffer.concat([held, chunk])
    this.#step = this.#readHead
    return chunk.subarray(length)
  }

  #refuse(error: unknown): void {
    this.#step = this.#discard
    this.#options.refuse(error)
  }

  #discard(): Buffer {
    return noBytes
  }

  /** Skips the preamble. */
  #skipPreamble(bytes: Buffer): Buffer {
    const end = this.#findDelimiter(bytes)
    this.#countOutside(end.at)
    return this.#afterDelimiter(bytes, end)
  }

  /** Skips the epilogue. */
  #skipEpilogue(bytes: Buffer): Buffer {
    this.#countOutside(bytes.length)
    return noBytes
  }

  #readBody(bytes: Buffer): Buffer {
    const end = this.#findDelimiter(bytes)
    this.#write(bytes.subarray(this.#skip, end.at))
    this.#skip = Math.max(0, this.#skip - end.at)
    return this.#afterDelimiter(bytes, end)
  }

  /** The start of the first delimiter, or else of bytes at the end that may begin one. */
  #findDelimiter(bytes: Buffer): { at: number; isWhole: boolean } {
    const whole = bytes.indexOf(this.#delimiter)
    if (whole !== -1) return { at: whole, isWhole: true }
    let at = bytes.indexOf(carriageReturn, Math.max(0, bytes.length - this.#delimiter.length + 1))
    while (at !== -1 && bytes.compare(this.#delimiter, 0, bytes.length - at, at) !== 0)
      at = bytes.indexOf(carriageReturn, at + 1)
    return { at: at === -1 ? bytes.length : at, isWhole: false }
  }

  /** Writes the boundary at once. The parser ends a part at its boundary, and the next head may never arrive. */
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
    // Copied, since these few bytes would otherwise keep the whole chunk in memory.
    this.#held = Buffer.from(bytes.subarray(at))
    return noBytes
  }

  /** Reads from a boundary to the blank line, or recognizes the closing boundary. */
  #readHead(bytes: Buffer): Buffer {
    const { head, isLast, taken } = this.#gathered.add(bytes)
    if (isLast) {
      this.#writeDelimiter()
      this.push(Buffer.from('--\r\n'))
      this.#step = this.#skipEpilogue
    } else if (head) {
      if (head.includes(this.#delimiter)) throw unreadable('no blank line ends them')
      this.#begin(readPartHead(head))
      // The boundary after an empty part may begin with the line break of its blank line.
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
    this.#step = this.#readBody
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
