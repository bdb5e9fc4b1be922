import { retry } from '#async/retry.ts'
import { StowageError } from '#domain/errors.ts'
import { findScrubbable, recordScrubbed, type Scrubbable } from '#persistence/scrub.ts'
import { hashObject, type ObjectHash } from '#store/hash-object.ts'
import type { ScrubContext } from './scrub-context.ts'

const pageSize = 1000

/**
 * Reads the object of every Ready attachment, in the order of the keys, and compares it with its row. A difference counts only when
 * the row, read again afterwards, still refers to the object, because the attachment may have been deleted in the meantime.
 * @param onRead called with each key after its object
 * @throws StowageError `storage_unavailable` when the store is down; the error of a query; the signal's reason
 */
export async function readObjects(scrub: ScrubContext, onRead: (key: string) => void): Promise<void> {
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

async function scrubOne(scrub: ScrubContext, object: Scrubbable): Promise<void> {
  const { findings } = scrub
  let found: ObjectHash | undefined
  try {
    found = await readWithRetry(scrub, object)
  } catch (error) {
    scrub.signal.throwIfAborted()
    await requireStoreAvailable(scrub)
    return findings.couldNotRead(object, error)
  }
  const damage = damageOf(object, found)
  if (!(await scrub.ask((db) => recordScrubbed(db, object, damage)))) return
  if (damage === null) findings.counts.whole += 1
  else if (found) findings.damaged(object, found)
  else findings.missing(object)
}

/** @returns `undefined` without an object */
function readWithRetry(scrub: ScrubContext, { key, algorithm }: Scrubbable): Promise<ObjectHash | undefined> {
  const { store, rateLimiter, findings, signal } = scrub
  const read = () =>
    hashObject(store, key, algorithm, signal, (bytes) => {
      findings.bytes += bytes
      return rateLimiter.consume(bytes, signal)
    }).catch(ignoreNotFound)
  return retry(read, () => true, scrub)
}

function ignoreNotFound(error: unknown): undefined {
  if (!(error instanceof StowageError && error.code === 'not_found')) throw error
}

/** A description of the damage; `null` when the object matches its row. */
function damageOf({ size, digest, algorithm }: Scrubbable, found: ObjectHash | undefined): string | null {
  if (found === undefined) return 'There is no object.'
  if (found.size !== size) return `The object has ${found.size} bytes instead of ${size}.`
  if (found.digest !== digest) return `The object's ${algorithm} is ${found.digest} instead of ${digest}.`
  return null
}

/** Milliseconds. A store that does not pass its check within this time is unavailable. */
const checkTimeout = 10_000

/**
 * Checks the store after a failed read or listing, to tell a damaged object from an unavailable store.
 * @throws StowageError `storage_unavailable` when the store is unavailable
 */
export async function requireStoreAvailable({ store, signal }: Pick<ScrubContext, 'store' | 'signal'>): Promise<void> {
  const limit = AbortSignal.timeout(checkTimeout)
  try {
    await store.check(AbortSignal.any([signal, limit]))
  } catch (error) {
    if (!limit.aborted) throw error
    throw new StowageError('storage_unavailable', `${store.description} does not answer.`, { cause: error })
  }
}
