import { retry } from '#async/retry.ts'
import { StowageError } from '#domain/errors.ts'
import { findUnknownKeys, findWithoutKey } from '#persistence/scrub.ts'
import type { ListEntry, Listing } from '#store/object-store.ts'
import { requireStoreAvailable } from './read-objects.ts'
import type { ScrubContext } from './scrub-context.ts'

/** Prefix of the doctor's objects. The doctor removes them at once, so only a doctor that died leaves an object for long. */
const doctorPrefix = 'doctor/'

/** Milliseconds after which an object of the doctor counts as an orphan. */
const doctorObjectAge = 3_600_000

/**
 * Reports objects, old versions and unfinished uploads whose keys have no row. A row is committed before the store receives its key,
 * so an orphan was lost by the database or written by another program.
 * @throws StowageError `storage_unavailable` when the store is down; the error of a query; the signal's reason
 */
export async function reportOrphans(scrub: ScrubContext): Promise<void> {
  const { findings, signal } = scrub
  for (const listing of ['objects', 'versions', 'uploads'] as const) {
    try {
      await findOrphansAmong(scrub, listing)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof StowageError)) throw error
      if (error.code !== 'forbidden') await requireStoreAvailable(scrub)
      if (error.code === 'forbidden' && listing !== 'objects') findings.mayNotList(listing, error)
      else findings.couldNotList(listing, error)
    }
  }
}

async function findOrphansAmong(scrub: ScrubContext, listing: Listing): Promise<void> {
  const { store, signal } = scrub
  for await (const page of store.list(listing, { signal })) {
    signal.throwIfAborted()
    const suspects = page.filter((listed) => !isDoctorObject(listed))
    const orphans = await withoutRow(scrub, suspects)
    for (const suspect of orphans) await reportIfOrphan(scrub, listing, suspect)
  }
}

/**
 * Reports a suspect that is still an orphan. The purge may have removed the object and then its row between the listing and the
 * query, so both are checked again, the object first.
 */
async function reportIfOrphan(scrub: ScrubContext, listing: Listing, suspect: ListEntry): Promise<void> {
  const { store, signal } = scrub
  const lookAgain = async () => {
    const seen: ListEntry[] = []
    for await (const page of store.list(listing, { key: suspect.key, signal })) seen.push(...page)
    return seen.filter(({ uploadId }) => uploadId === suspect.uploadId)
  }
  const present = await retry(lookAgain, isStoreSilent, scrub)
  const [orphan] = await withoutRow(scrub, present)
  if (orphan) scrub.findings.orphaned(listing, orphan)
}

async function withoutRow(scrub: ScrubContext, listed: readonly ListEntry[]): Promise<ListEntry[]> {
  if (listed.length === 0) return []
  const keys = listed.map(({ key }) => key)
  const unknown = new Set(await scrub.ask((db) => findUnknownKeys(db, keys)))
  return listed.filter(({ key }) => unknown.has(key))
}

function isStoreSilent(error: unknown): boolean {
  return error instanceof StowageError && error.code === 'storage_unavailable'
}

function isDoctorObject({ key, storedAt }: ListEntry): boolean {
  return key.startsWith(doctorPrefix) && Date.now() - storedAt.getTime() < doctorObjectAge
}

const pageSize = 1000

/**
 * Reports Ready attachments whose object key is not in the database. No download can find their bytes.
 * @throws the error of a query; the signal's reason
 */
export async function reportMissingKeys({ ask, findings, signal }: ScrubContext): Promise<void> {
  let last: number | undefined = 0
  while (last !== undefined) {
    signal.throwIfAborted()
    const after: number = last
    const page = await ask((db) => findWithoutKey(db, after, pageSize))
    for (const attachmentId of page.attachmentIds) findings.missingKey(attachmentId)
    last = page.last
  }
}
