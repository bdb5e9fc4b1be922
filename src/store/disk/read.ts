import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { ByteRange } from '#store/object-store.ts'

/**
 * A range of a file as a stream that owns the file: it closes it at the end and when destroyed. Unlike Node's own, it
 * fails when the file ends before the range does.
 */
export function readFileRange(file: FileHandle, { first, last }: ByteRange): Readable {
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
