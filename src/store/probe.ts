import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { StowageError } from '#domain/errors.ts'
import type { Listing, ObjectStore, PutOptions, Stored } from './object-store.ts'

/** One of the ways in which the server stores an object. */
export interface Shape {
  /** Bytes. */
  size: number
  /** Whether the size is announced, so that the bytes are streamed. */
  isAnnounced: boolean
}

const kibibyte = 1024
const cleaningMilliseconds = 10_000

/** The ways in which the server stores: in parts, as a stream of known length, in a single request. */
export const shapes = {
  parts: { size: 5 * kibibyte ** 2 + 1, isAnnounced: false },
  stream: { size: 5 * kibibyte ** 2 + 1, isAnnounced: true },
  single: { size: kibibyte, isAnnounced: false },
} satisfies Record<string, Shape>

/**
 * Stores an object, compares it with the store's report of it, and removes it. No object, version or unfinished upload is
 * left, also after a failure.
 * @returns milliseconds that storing took
 */
export async function probeShape(store: ObjectStore, shape: Shape, signal: AbortSignal): Promise<number> {
  return withProbe(store, async (probe) => {
    const begun = performance.now()
    const stored = await probe.put(randomBytes(shape.size), shape, signal)
    const duration = performance.now() - begun
    await compare(store, probe.key, stored, signal)
    return duration
  })
}

/**
 * Reads a range of an object, lists the object, writes to its key a second time, and deletes it.
 * @returns whether the second write was refused
 */
export async function probeUse(store: ObjectStore, signal: AbortSignal): Promise<{ refusesTakenKeys: boolean }> {
  return withProbe(store, async ({ key, put }) => {
    const bytes = randomBytes(shapes.single.size)
    await put(bytes, shapes.single, signal)
    const range = { first: 100, last: 199 }
    const read = async () => buffer(await store.get(key, { range, signal }))
    if (!bytes.subarray(100, 200).equals(await read())) throw new Error('what was read is not what was written')
    await list(store, 'objects', key, signal)
    // Another length: an object of the same length would be taken for the first one after a lost response.
    const again = put(randomBytes(shapes.single.size + 1), shapes.single, signal)
    const refusesTakenKeys = await again.then(
      () => false,
      () => true,
    )
    if (refusesTakenKeys && !bytes.subarray(100, 200).equals(await read()))
      throw new Error('what was there was overwritten by a write that was refused')
    return { refusesTakenKeys }
  })
}

/** Aborts an upload after its first part and removes it. */
export async function probeAbort(store: ObjectStore, signal: AbortSignal): Promise<void> {
  const reason = new Error('The probe gives up this upload')
  await withProbe(store, async ({ put }) => {
    await put(randomBytes(shapes.parts.size), shapes.parts, signal, reason).catch((error) => {
      if (error !== reason) throw error
    })
  })
}

interface Probe {
  key: string
  /** @param thenFail the error that the body ends with */
  put(bytes: Buffer, shape: Shape, signal: AbortSignal, thenFail?: Error): Promise<Stored>
}

/** Runs a probe with a new key, and removes everything under the key afterwards. */
async function withProbe<T>(store: ObjectStore, run: (probe: Probe) => Promise<T>): Promise<T> {
  const key = `doctor/${randomBytes(20).toString('hex')}`
  let uploadId: string | undefined
  const put: Probe['put'] = (bytes, { isAnnounced }, signal, thenFail) => {
    const options: PutOptions = {
      signal,
      size: isAnnounced ? bytes.length : undefined,
      onUpload: async (id) => {
        uploadId = id
      },
    }
    return store.put(key, bodyOf(bytes, thenFail), options)
  }
  const clean = () => removeProbe(store, key, uploadId)
  const result = await run({ key, put }).catch(async (error) => {
    // The first failure is reported, not one of the removal.
    await clean().catch(() => {})
    throw error
  })
  await clean()
  return result
}

async function* bodyOf(bytes: Buffer, thenFail: Error | undefined): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 64 * kibibyte) yield bytes.subarray(at, at + 64 * kibibyte)
  if (thenFail) throw thenFail
}

/** Removes a probe, also one whose signal has aborted: so the removal has its own time limit. */
async function removeProbe(store: ObjectStore, key: string, uploadId: string | undefined): Promise<void> {
  const signal = AbortSignal.timeout(cleaningMilliseconds)
  await store.remove(key, { uploadId, signal })
  if (await store.head(key, { signal })) throw new Error('what was deleted is still there')
  for (const [listing, what] of [
    ['versions', 'a version or a delete marker'],
    ['uploads', 'an unfinished upload'],
  ] as const)
    if ((await list(store, listing, key, signal)) > 0) throw new Error(`of what was deleted ${what} is left`)
}

/** The number of entries; 0 where the store does not allow this listing. */
async function list(store: ObjectStore, listing: Listing, key: string, signal: AbortSignal): Promise<number> {
  let count = 0
  try {
    for await (const page of store.list(listing, { key, signal })) count += page.length
  } catch (error) {
    if (!(error instanceof StowageError) || error.code !== 'forbidden' || listing === 'objects') throw error
  }
  return count
}

/** Compares as the server does before a file is Ready. */
async function compare(store: ObjectStore, key: string, stored: Stored, signal: AbortSignal): Promise<void> {
  const found = await store.head(key, { signal })
  if (!found) throw new Error('what was written is not there')
  if (found.size !== stored.size)
    throw new Error(`of ${stored.size} bytes written the store says there are ${found.size}`)
  if (found.checksum !== undefined && stored.checksum !== undefined && found.checksum !== stored.checksum)
    throw new Error(`the store says the checksum is ${found.checksum}, and it is ${stored.checksum}`)
}
