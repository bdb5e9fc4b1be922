import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { abortable } from '#async/abortable.ts'
import { failpoint } from '#failpoints.ts'
import { sessionNotFound, storeUnavailable } from '#store/errors.ts'
import type { MultipartSession, MultipartStore, PutPartOptions, StoredPart } from '#store/multipart-store.ts'
import { assertPart, assertPartSize, durableOffset, orderParts } from '#store/part-rules.ts'
import { folderMode, ignoreAbsent, makeFolder, publish, syncFolder, writing } from './durable.ts'
import { type Places, partialOf } from './names.ts'
import { concatenate, holdsParts, inSession, partPath, writePart } from './part-file.ts'

const never = new AbortController().signal

/**
 * Multipart sessions on the disk. A session is a folder next to the object. Each part is a file in it, with a name that is
 * also the part's ETag: two writers of one part have two files, and a completion has exactly the bytes that its list
 * names. It copies the parts together and verifies their checksums.
 */
export function openDiskMultipart({ pathOf }: Places): MultipartStore {
  const folderOf = ({ key, uploadId }: MultipartSession) => {
    if (!/^[0-9a-f]{32}$/.test(uploadId)) throw sessionNotFound()
    return partialOf(pathOf(key), uploadId)
  }
  return {
    minimumPartSize: 1,

    async create(key, { partSize }) {
      assertPartSize(partSize, { minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
      const session = { key, uploadId: randomBytes(16).toString('hex'), partSize }
      failpoint('before-create')
      await writing(makeSession(folderOf(session)))
      failpoint('after-create')
      return session
    },

    async putPart(session, number, body, options) {
      assertPart(session, { number, size: options.size })
      options.signal.throwIfAborted()
      return await storePart(folderOf(session), number, body, options)
    },

    async complete(session, parts, { signal = never } = {}) {
      const ordered = orderParts(session, parts)
      const folder = folderOf(session)
      await makeObject(folder, pathOf(session.key), ordered, signal)
      await removeSession(folder)
      return { size: durableOffset(ordered), isConfirmed: false }
    },

    async abort(session) {
      failpoint('before-abort')
      await removeSession(folderOf(session))
      failpoint('after-abort')
    },
  }
}

async function makeSession(folder: string): Promise<void> {
  await makeFolder(dirname(folder))
  await mkdir(folder, { mode: folderMode })
  await syncFolder(dirname(folder))
}

async function removeSession(folder: string): Promise<void> {
  try {
    // Retries, because a late writer can add a file to a folder that is being emptied.
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    await syncFolder(dirname(folder)).catch(ignoreAbsent)
  } catch (error) {
    throw storeUnavailable(error)
  }
}

/** Writes a part into a file of its own, and removes the file after a failure. */
async function storePart(
  folder: string,
  number: number,
  body: AsyncIterable<Uint8Array>,
  { size, signal }: PutPartOptions,
): Promise<StoredPart> {
  const etag = randomBytes(8).toString('hex')
  const path = partPath(folder, number, etag)
  failpoint('before-part')
  try {
    const checksum = await writePart(path, abortable(body, signal), size)
    signal.throwIfAborted()
    await inSession(syncFolder(folder))
    failpoint('after-part')
    return { number, size, checksum, etag }
  } catch (error) {
    // The session's removal finds a file that stays.
    await rm(path, { force: true }).catch(() => {})
    throw error
  }
}

/** Makes the parts the object, unless an earlier call has done so and its result was lost. */
async function makeObject(
  folder: string,
  path: string,
  parts: readonly StoredPart[],
  signal: AbortSignal,
): Promise<void> {
  const partial = partPath(folder, 0, randomBytes(8).toString('hex'))
  signal.throwIfAborted()
  failpoint('before-complete')
  try {
    await concatenate(partial, folder, parts, signal)
    await writing(publish(partial, path))
  } catch (error) {
    const isMade = !signal.aborted && (await holdsParts(path, parts, signal).catch(() => false))
    signal.throwIfAborted()
    if (!isMade) throw error
  } finally {
    await rm(partial, { force: true }).catch(() => {})
  }
  failpoint('after-complete')
}
