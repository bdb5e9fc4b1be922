import { partRuleBroken } from './errors.ts'
import type { MultipartSession, StoredPart } from './multipart-store.ts'

/** The most parts of one object (S3: "Amazon S3 multipart upload limits"). */
export const maxParts = 10_000

/**
 * The number of bytes from the beginning of the object that are durable: those of the parts from 1 on without a gap.
 * @param parts in any order; of two with the same number, the later in the list counts
 */
export function durableOffset(parts: readonly StoredPart[]): number {
  const sizes = new Map(parts.map(({ number, size }) => [number, size]))
  let offset = 0
  for (let number = 1; sizes.has(number); number += 1) offset += sizes.get(number) as number
  return offset
}

/** @throws StowageError `internal` when a session cannot have parts of this size, in bytes */
export function assertPartSize(partSize: number, { minimum, maximum }: { minimum: number; maximum: number }): void {
  if (Number.isSafeInteger(partSize) && partSize >= minimum && partSize <= maximum) return
  throw partRuleBroken(`A part has from ${minimum} to ${maximum} bytes, not ${partSize}`)
}

/** @throws StowageError `internal` when a session cannot have this part. @param size bytes */
export function assertPart({ partSize }: MultipartSession, { number, size }: { number: number; size: number }): void {
  if (!Number.isInteger(number) || number < 1 || number > maxParts)
    throw partRuleBroken(`The number of a part is from 1 to ${maxParts}, not ${number}`)
  const least = number === 1 ? 0 : 1
  if (!Number.isInteger(size) || size < least || size > partSize)
    throw partRuleBroken(`Part ${number} has from ${least} to ${partSize} bytes, not ${size}`)
}

/**
 * The parts in the order of their numbers.
 * @throws StowageError `internal` when they do not make an object: one is missing, is listed twice, or is neither of the
 * session's size nor the last
 */
export function orderParts(session: MultipartSession, parts: readonly StoredPart[]): StoredPart[] {
  const ordered = parts.toSorted((a, b) => a.number - b.number)
  if (ordered.length === 0) throw partRuleBroken('An object has one part at least')
  for (const [index, part] of ordered.entries()) {
    assertPart(session, part)
    if (part.number !== index + 1) throw partRuleBroken(`Part ${index + 1} is missing, or another is listed twice`)
    if (part.size !== session.partSize && part !== ordered.at(-1))
      throw partRuleBroken(`Part ${part.number} has ${part.size} bytes and is not the last`)
  }
  return ordered
}
