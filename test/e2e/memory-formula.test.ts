import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { idleMemory, loadMemory } from '../kit/memory-formula.ts'
import { declaredForm, form, type Place, rawPut, type Upload, type WayToUpload } from '../kit/ways-to-upload.ts'
import { peakOf, skipWithoutPeaks } from './process-memory.ts'
import { startServingOnS3 } from './serving-on-s3.ts'
import { allTaken } from './socket-queues.ts'

const mebibyte = 2 ** 20
const megabyte = 1e6

/** Most memory, in bytes, that the README promises for so many uploads at once. */
const formulas = {
  unknown: (uploads: number) => idleMemory + 32 * mebibyte + loadMemory({ unknown: uploads }),
  declared: (uploads: number) => idleMemory + loadMemory({ declared: uploads }),
}

/** Just short of a part, which is sent away when it is full: so much is held of every upload of unknown length. */
const almostPart = 4.9 * mebibyte
const piece = randomBytes(mebibyte)

interface Load {
  way: WayToUpload
  /** How many at once. */
  uploads: number
  /** Bytes of each. */
  size: number
}

async function send({ send }: Upload, bytes: number): Promise<void> {
  for (let left = Math.floor(bytes); left > 0; left -= piece.length) await send(piece.subarray(0, left))
}

/** All in step: each comes to hold as much as it can, then all go on to the end at once. @returns the statuses */
async function uploadInStep(place: Place, { way, uploads, size }: Load): Promise<number[]> {
  const file = { fileName: 'step.bin', size }
  const begun = await Promise.all(Array.from({ length: uploads }, () => way.begin(place, file)))
  const first = Math.floor(Math.min(almostPart, size - 1))
  await Promise.all(begun.map((upload) => send(upload, first)))
  await allTaken(begun.map(({ socket }) => socket))
  const answers = begun.map(async (upload) => {
    await send(upload, size - first)
    return (await upload.finish()).status
  })
  return Promise.all(answers)
}

/** A process of its own for this load alone. @returns its peaks before and after */
async function peaksOf(t: Test, load: Load): Promise<{ before: number; after: number }> {
  const { uploads, way } = load
  const atOnce = { MAX_CONCURRENT_UPLOADS: String(uploads), UPLOADS_PER_USER: String(uploads) }
  // A client in step with the others waits for the slowest of them.
  const serving = await startServingOnS3(t, { ...atOnce, UPLOAD_IDLE_SECONDS: '60', MINIMUM_RATE: '0' })
  const before = await peakOf(serving)
  t.strictSame(new Set(await uploadInStep(serving, load)), new Set([way.success]), 'all were taken')
  return { before, after: await peakOf(serving) }
}

function told(bytes: number): string {
  return `${(bytes / megabyte).toFixed()} MB`
}

const skip = skipWithoutS3 || skipWithoutPeaks

const loads: (Load & { formula: keyof typeof formulas })[] = [
  { way: form, formula: 'unknown', uploads: 5, size: 40 * mebibyte },
  { way: form, formula: 'unknown', uploads: 20, size: 40 * mebibyte },
  { way: form, formula: 'unknown', uploads: 60, size: 12 * mebibyte },
  { way: declaredForm, formula: 'declared', uploads: 5, size: 40 * mebibyte },
  { way: rawPut, formula: 'declared', uploads: 20, size: 40 * mebibyte },
  { way: declaredForm, formula: 'declared', uploads: 60, size: 12 * mebibyte },
  { way: rawPut, formula: 'declared', uploads: 60, size: 12 * mebibyte },
  { way: form, formula: 'declared', uploads: 60, size: mebibyte / 4 },
]

for (const load of loads) {
  const { way, uploads, size, formula } = load
  const what = `${uploads} at once of ${size / mebibyte} MiB, each ${way.name}`
  t.test(`${what}, hold no more than the README says`, { skip }, async (t) => {
    const { before, after } = await peaksOf(t, load)
    const most = formulas[formula](uploads)
    t.comment(`${what}: ${told(before)} before, ${told(after)} at the peak, ${told(most)} allowed`)
    t.ok(after <= most, `${told(after)} of ${told(most)}`)
    // Or the uploads were not in step, and nothing was measured.
    if (formula === 'unknown' && uploads === 60)
      t.ok(after - before > uploads * 4.5 * mebibyte, `${told(after - before)} more than before: each held its part`)
  })
}
