import { patiently } from '#async/retry.ts'
import { StowageError } from '#domain/errors.ts'
import { findScrubbable, noteScrubbed, type Scrubbable } from '#persistence/scrub.ts'
import { type ReadBack, readBack } from '#store/hash-object.ts'
import { requireStore } from './require-store.ts'
import type { Scrub } from './under-way.ts'

const pageSize = 1000

/**
 * Reads every object that a Ready attachment lies in, in the order of their keys, and compares it with its row. One that
 * differs counts only when its row, looked at afterwards, still wants it: it may have been deleted in the meantime.
 * @param onRead told of each key that is behind us
 * @throws StowageError `storage_unavailable` when the store is down; what a query fails with; the signal's reason
 */
export async function readObjects(scrub: Scrub, onRead: (key: string) => void): Promise<void> {
  let last: string | undefined = ''
  while (last !== undefined) {
    scrub.signal.throwIfAborted()
    const after: string = last
    const page = await scrub.ask((db) => findScrubbable(db, { after, limit: pageSize, ...scrub.options }))
    for (const object of page.objects) {
      scrub.signal.throwIfAborted()
      await scrubOne(scrub, object)
      onRead(object.key)
    }
    last = page.last
  }
}

async function scrubOne(scrub: Scrub, object: Scrubbable): Promise<void> {
  const { findings } = scrub
  let found: ReadBack | undefined
  try {
    found = await readPatiently(scrub, object)
  } catch (error) {
    scrub.signal.throwIfAborted()
    await requireStore(scrub)
    return findings.couldNotRead(object, error)
  }
  const damage = damageOf(object, found)
  if (!(await scrub.ask((db) => noteScrubbed(db, object, damage)))) return
  if (damage === null) findings.counts.whole += 1
  else if (found) findings.damaged(object, found)
  else findings.missing(object)
}

/** @returns `undefined` when there is no such object */
function readPatiently(scrub: Scrub, { key, algorithm }: Scrubbable): Promise<ReadBack | undefined> {
  const { store, pace, findings, signal } = scrub
  const read = () =>
    readBack(store, key, algorithm, signal, (bytes) => {
      findings.bytes += bytes
      return pace.spend(bytes, signal)
    }).catch(ignoreAbsent)
  return patiently(read, () => true, scrub)
}

function ignoreAbsent(error: unknown): undefined {
  if (!(error instanceof StowageError && error.code === 'not_found')) throw error
}

/** In words; `null` when the object is what its row says. */
function damageOf({ size, digest, algorithm }: Scrubbable, found: ReadBack | undefined): string | null {
  if (found === undefined) return 'There is no object.'
  if (found.size !== size) return `The object has ${found.size} bytes instead of ${size}.`
  if (found.digest !== digest) return `The object's ${algorithm} is ${found.digest} instead of ${digest}.`
  return null
}
