import { Readable } from 'node:stream'
import type { PartReader } from './part-reader.ts'

/** The body of the reader's current part as a stream, which breaks as the reader does. Destroying it leaves the rest unread. */
export function partBody(reader: PartReader): Readable {
  return new Readable({
    async read() {
      try {
        this.push((await reader.read()) ?? null)
      } catch (error) {
        this.destroy(error as Error)
      }
    },
  })
}
