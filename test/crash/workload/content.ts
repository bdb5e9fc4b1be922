import { createHash, randomBytes } from 'node:crypto'
import type { SeededRandom } from '../../kit/seeded-random.ts'
import { chooseByShare } from './choose.ts'
import type { Content } from './journal.ts'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

/** Cut out of these at random places, the files differ, and none of them is made anew. */
const pool = randomBytes(24 * mebibyte)

/** A file's bytes, and what the journal keeps of them. */
export interface Bytes extends Content {
  bytes: Buffer
}

/** Sizes that pass through different code: nothing, one request, a stream of known length, several parts of 5 MiB. */
const sizes: { share: number; least: number; most: number }[] = [
  { share: 4, least: 0, most: 0 },
  { share: 4, least: 1, most: 1 },
  { share: 52, least: 2, most: 60 * kibibyte },
  { share: 26, least: 250 * kibibyte, most: 400 * kibibyte },
  { share: 9, least: mebibyte, most: 2 * mebibyte },
  { share: 5, least: 6 * mebibyte, most: 12 * mebibyte },
]

export function anyBytes(random: SeededRandom): Bytes {
  const { least, most } = chooseByShare(random, sizes)
  return bytesOf(random, random.between(least, most))
}

/** So many that an upload of unknown length takes two or three parts. */
export function severalParts(random: SeededRandom): Bytes {
  return bytesOf(random, random.between(6 * mebibyte, 12 * mebibyte))
}

export function bytesOf(random: SeededRandom, size: number): Bytes {
  const from = random.between(0, pool.length - size)
  const bytes = pool.subarray(from, from + size)
  return { bytes, size, sha256: createHash('sha256').update(bytes).digest('hex') }
}
