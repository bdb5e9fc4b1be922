import { limits } from '#domain/limits.ts'
import { headTooLarge } from './part-head.ts'

const blankLine = Buffer.from('\r\n\r\n')
const noBytes = Buffer.alloc(0)
const maxLength = limits.partHead + blankLine.length

export interface Gathered {
  /** The bytes before the blank line, once it has arrived. */
  head?: Buffer
  /** Whether the head begins with two dashes, which end the form. */
  isLast: boolean
  /** The number of the given bytes that belong to the head. */
  taken: number
}

/** Collects the head of a part from any number of chunks. Each byte is copied and scanned once. */
export class GatheredHead {
  #bytes = noBytes
  #length = 0

  /** @throws StowageError `too_large` when the head is longer than `limits.partHead` */
  add(bytes: Buffer): Gathered {
    const before = this.#length
    const received = before === 0 ? bytes : this.#append(bytes)
    if (received.length >= 2 && received.toString('latin1', 0, 2) === '--')
      return this.#end({ isLast: true, taken: 2 - before })
    const end = received.subarray(0, maxLength).indexOf(blankLine, Math.max(0, before - blankLine.length + 1))
    if (end === -1) {
      if (received.length >= maxLength) throw headTooLarge()
      if (before === 0) this.#append(bytes)
      return { isLast: false, taken: bytes.length }
    }
    return this.#end({ head: received.subarray(0, end), isLast: false, taken: end + blankLine.length - before })
  }

  #end(gathered: Gathered): Gathered {
    this.#length = 0
    return gathered
  }

  /** @returns all bytes so far, up to the greatest length of a head */
  #append(bytes: Buffer): Buffer {
    const length = Math.min(maxLength, this.#length + bytes.length)
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.min(maxLength, Math.max(1024, 2 * length)))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, this.#length)
    this.#length = length
    return this.#bytes.subarray(0, length)
  }
}
