import { isUtf8 } from 'node:buffer'
import { StowageError } from '../../errors.ts'

const lineBreak = Buffer.from('\r\n')
const blankLine = Buffer.from('\r\n\r\n')
const nothing = Buffer.alloc(0)

/** Most headers of a part, and most bytes of them. */
const mostHeaders = 32
const longestHead = 16 * 1024

const token = "[\\w!#$%&'*+.^`|~-]+"
const header = new RegExp(`^${token}:`)
const parameter = `;[ \\t]*${token}=(?:"(?:[^"\\\\\\r\\n]|\\\\.)*"|[^";\\s]*)[ \\t]*`
const disposition = new RegExp(`^content-disposition:[ \\t]*form-data[ \\t]*(?=.*;[ \\t]*name=)(?:${parameter})*$`, 'i')

/**
 * Watches a multipart body (RFC 2046 section 5.1.1) while the parser reads it. The parser passes over a part whose
 * headers it cannot make out, and drops headers beyond its limits, without a word; a file that was sent and not taken
 * must not go unnoticed.
 */
export class PartGuard {
  readonly #delimiter: Buffer
  readonly #refuse: (error: StowageError) => void
  /** The last bytes of a part's body: a delimiter that begins here may end in the next chunk. Boundaries begin a line, the first too. */
  #tail: Buffer = lineBreak
  /** What has come after a delimiter, until the blank line; `undefined` within a body. */
  #head: Buffer | undefined
  /** Of each part that has begun, whether it names its Content-Type. */
  readonly #typed: boolean[] = []
  #isClosed = false

  /** @param refuse told once, when the headers of a part break a limit or cannot be read */
  constructor(boundary: string, refuse: (error: StowageError) => void) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
    this.#refuse = refuse
  }

  /** Whether the closing boundary has come, after as many parts as the parser handed out. */
  isWhole(handedOut: number): boolean {
    return this.#isClosed && this.#typed.length === handedOut
  }

  /**
   * Whether a part names its Content-Type: the parser gives every part one.
   * @param number counted from 1
   */
  isTyped(number: number): boolean {
    return this.#typed[number - 1] === true
  }

  push(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0 && !this.#isClosed)
      rest = this.#head === undefined ? this.#passBody(rest) : this.#readHead(rest, this.#head)
  }

  /** @returns what follows the delimiter */
  #passBody(bytes: Buffer): Buffer {
    const reach = this.#delimiter.length - 1
    const seam = Buffer.concat([this.#tail, bytes.subarray(0, reach)])
    const inSeam = seam.indexOf(this.#delimiter)
    const start = inSeam === -1 ? bytes.indexOf(this.#delimiter) : inSeam - this.#tail.length
    if (inSeam === -1 && start === -1) {
      // Copied, or these few bytes would keep the whole chunk in memory.
      this.#tail = Buffer.from((bytes.length < reach ? seam : bytes).subarray(-reach))
      return nothing
    }
    this.#head = nothing
    return bytes.subarray(start + this.#delimiter.length)
  }

  /** @returns what follows the blank line */
  #readHead(bytes: Buffer, before: Buffer): Buffer {
    const head = Buffer.concat([before, bytes.subarray(0, longestHead + blankLine.length)])
    const end = head.indexOf(blankLine)
    this.#head = head
    this.#isClosed = head.toString('latin1', 0, 2) === '--'
    if (this.#isClosed) return nothing
    if (end === -1 && head.length <= longestHead) return nothing
    const problem = problemOf(head.subarray(0, end === -1 ? head.length : end), this.#delimiter)
    if (problem) return this.#stop(problem)
    this.#typed.push(/^content-type:/im.test(head.toString('latin1', 0, end)))
    this.#head = undefined
    this.#tail = lineBreak
    return bytes.subarray(end + blankLine.length - before.length)
  }

  #stop(problem: StowageError): Buffer {
    this.#isClosed = true
    this.#refuse(problem)
    return nothing
  }
}

/** @param head from the end of the boundary to the blank line */
function problemOf(head: Buffer, delimiter: Buffer): StowageError | undefined {
  const unfolded = head.toString('latin1').replace(/\r\n[ \t]+/g, ' ')
  const [restOfBoundary, ...lines] = unfolded.split('\r\n')
  if (lines.length > mostHeaders || head.length > longestHead)
    return new StowageError(
      'too_large',
      `A part has more than ${mostHeaders} headers, or ${longestHead} bytes of them. Send fewer.`,
    )
  if (head.includes(delimiter)) return unreadable('no blank line ends them')
  if (!isUtf8(head)) return unreadable('they are not valid UTF-8')
  if (restOfBoundary !== '' || !lines.every((line) => header.test(line))) return unreadable('a line is no header')
  if (!lines.some((line) => disposition.test(line)))
    return unreadable('there is no valid Content-Disposition: form-data with a name')
  return undefined
}

function unreadable(what: string): StowageError {
  return new StowageError('invalid', `The headers of a part cannot be read: ${what}. Let your HTTP client write them.`)
}
