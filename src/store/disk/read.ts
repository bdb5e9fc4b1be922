import { type FileHandle, open } from 'node:fs/promises'
import { addAbortSignal, Readable } from 'node:stream'
import { objectNotFound, storeUnavailable } from '#store/errors.ts'
import type { ByteRange } from '#store/object-store.ts'

/**
 * The bytes of a file, or a range of them.
 * @throws StowageError `not_found`, or `storage_unavailable`, also when the file ends before the range does; or the
 * signal's reason
 */
export async function openFile(path: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
  signal.throwIfAborted()
  const file = await open(path).catch((error) => {
    throw error.code === 'ENOENT' ? objectNotFound(error) : storeUnavailable(error)
  })
  try {
    const { size } = await file.stat()
    const { first, last } = range ?? { first: 0, last: size - 1 }
    if (last >= size) throw new Error(`The file has ${size} bytes, ${last + 1} were expected`)
    return addAbortSignal(signal, readFileRange(file, { first, last }))
  } catch (error) {
    await file.close()
    throw storeUnavailable(error)
  }
}

/**
 * A range of a file as a stream that owns the file: the stream closes it at the end and when destroyed. Unlike Node's own
 * file stream, it fails when the file ends before the range does.
 */
function readFileRange(file: FileHandle, { first, last }: ByteRange): Readable {
  let position = first
  return new Readable({
    highWaterMark: 256 * 1024,
    async read(size) {
      if (position > last) return void this.push(null)
      try {
        const chunk = Buffer.allocUnsafe(Math.min(size, last + 1 - position))
        const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
        if (bytesRead === 0) throw new Error(`The file ends at byte ${position} of ${last + 1}`)
        position += bytesRead
        this.push(chunk.subarray(0, bytesRead))
      } catch (error) {
        this.destroy(error as Error)
      }
    },
    destroy(error, callback) {
      file.close().then(
        () => callback(error),
        (closing) => callback(error ?? closing),
      )
    },
  })
}
