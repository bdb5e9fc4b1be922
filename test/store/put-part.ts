import type { MultipartSession } from '#store/object-store.ts'
import { bytesOf, keptChunksOf } from './bodies.ts'
import { openPlace, type StorePlace } from './places.ts'

/** The work of a process that goes on with a session: it stores the part of `bytesOf` at `start`. */
export interface PartWork {
  place: StorePlace
  session: MultipartSession
  number: number
  start: number
  size: number
}

/** The program: reads its work from the command line, and prints the stored part. */
const { place, session, number, start, size } = JSON.parse(process.argv[2] as string) as PartWork
const store = await openPlace(place)
const bytes = bytesOf(start + size).subarray(start)
const signal = new AbortController().signal
const part = await store.multipart.putPart(session, number, keptChunksOf(bytes, 65_536), { size, signal })
await store.close()
console.log(JSON.stringify(part))
