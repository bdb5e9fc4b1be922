import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { base64Of, checksumBytes } from '#store/crc32.ts'
import { putFailed, sessionNotFound, sizeDiffers } from '#store/errors.ts'
import type { StoredPart } from '#store/multipart-store.ts'
import { durableOffset } from '#store/part-rules.ts'
import { fileMode, writing } from './durable.ts'

const blockSize = 256 * 1024

/** The path of a part in the folder of its session. */
export function partPath(folder: string, number: number, etag: string | undefined): string {
  return join(folder, `${number}.${etag}.partial`)
}

/**
 * Writes a body of exactly `size` bytes into a new file.
 * @returns the checksum of the bytes, which are durable; the name of the file is not yet
 * @throws the body's own error, or StowageError: `not_found` when there is no such folder, `internal` for a body of another
 * length, `storage_unavailable`
 */
export async function writePart(path: string, body: AsyncIterable<Uint8Array>, size: number): Promise<string> {
  const file = await inSession(open(path, 'wx', fileMode))
  try {
    let written = 0
    let checksum = 0
    for await (const chunk of body) {
      written += chunk.length
      if (written > size) break
      await writing(file.writeFile(chunk))
      checksum = crc32(chunk, checksum)
    }
    if (written !== size) throw sizeDiffers(written, size)
    await writing(file.sync())
    return base64Of(checksumBytes(checksum))
  } finally {
    await writing(file.close())
  }
}

/**
 * Copies the parts of a session together into a new file, which is durable afterwards; its name is not yet.
 * @throws StowageError `storage_unavailable`, also when the session does not have a part as listed; or the signal's reason
 */
export async function concatenate(
  path: string,
  folder: string,
  parts: readonly StoredPart[],
  signal: AbortSignal,
): Promise<void> {
  const file = await inSession(open(path, 'wx', fileMode))
  try {
    for (const part of parts) await appendPart(file, partPath(folder, part.number, part.etag), part, signal)
    await writing(file.sync())
  } finally {
    await writing(file.close())
  }
}

/** Whether a file has the bytes of exactly these parts. */
export async function holdsParts(path: string, parts: readonly StoredPart[], signal: AbortSignal): Promise<boolean> {
  await using file = await open(path, 'r')
  if ((await file.stat()).size !== durableOffset(parts)) return false
  for (const part of parts) if ((await readChecksum(file, part.size, signal)) !== part.checksum) return false
  return true
}

/** The result of work in the folder of a session. @throws StowageError `not_found` when there is no such folder */
export async function inSession<T>(work: Promise<T>): Promise<T> {
  const result = work.catch((error) => {
    throw error.code === 'ENOENT' ? sessionNotFound(error) : error
  })
  return await writing(result)
}

async function appendPart(to: FileHandle, path: string, part: StoredPart, signal: AbortSignal): Promise<void> {
  await using from = await writing(open(path, 'r'))
  const { size } = await writing(from.stat())
  const append = (chunk: Buffer) => writing(to.writeFile(chunk))
  const isAsListed = size === part.size && (await readChecksum(from, size, signal, append)) === part.checksum
  if (!isAsListed) throw putFailed(new Error(`Part ${part.number} is not on the disk as listed`))
}

/** The checksum of the next `size` bytes of a file, or of fewer where it ends. */
async function readChecksum(
  file: FileHandle,
  size: number,
  signal: AbortSignal,
  onChunk: (chunk: Buffer) => Promise<void> = async () => {},
): Promise<string> {
  const block = Buffer.allocUnsafe(Math.min(size, blockSize))
  let checksum = 0
  for (let left = size; left > 0; ) {
    signal.throwIfAborted()
    const { bytesRead } = await writing(file.read(block, 0, Math.min(left, block.length)))
    if (bytesRead === 0) break
    const chunk = block.subarray(0, bytesRead)
    checksum = crc32(chunk, checksum)
    await onChunk(chunk)
    left -= bytesRead
  }
  return base64Of(checksumBytes(checksum))
}
