import { limits } from '#domain/limits.ts'
import { headTooLarge } from './part-head.ts'

const blankLine = Buffer.from('\r\n\r\n')
const nothing = Buffer.alloc(0)
const most = limits.partHead + blankLine.length

export interface Gathered {
  /** What stands before the blank line, once that has come. */
  head?: Buffer
  /** Whether two dashes come first: then no part follows. */
  isLast: boolean
  /** How many of the bytes given belong to it. */
  taken: number
}

/** The head of a part as it comes, in however many pieces: each byte is copied and looked at once. */
export class GatheredHead {
  #bytes = nothing
  #length = 0

  /** @throws StowageError `too_large` when the head is longer than any may be */
  add(bytes: Buffer): Gathered {
    const before = this.#length
    const seen = before === 0 ? bytes : this.#append(bytes)
    if (seen.length >= 2 && seen.toString('latin1', 0, 2) === '--')
      return this.#end({ isLast: true, taken: 2 - before })
    const end = seen.subarray(0, most).indexOf(blankLine, Math.max(0, before - blankLine.length + 1))
    if (end === -1) {
      if (seen.length >= most) throw headTooLarge()
      if (before === 0) this.#append(bytes)
      return { isLast: false, taken: bytes.length }
    }
    return this.#end({ head: seen.subarray(0, end), isLast: false, taken: end + blankLine.length - before })
  }

  #end(gathered: Gathered): Gathered {
    this.#length = 0
    return gathered
  }

  /** @returns all that has come, as far as it may be a head */
  #append(bytes: Buffer): Buffer {
    const length = Math.min(most, this.#length + bytes.length)
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.min(most, Math.max(1024, 2 * length)))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, this.#length)
    this.#length = length
    return this.#bytes.subarray(0, length)
  }
}
