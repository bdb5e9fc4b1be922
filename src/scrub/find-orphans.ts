import { retry } from '#async/retry.ts'
import { StowageError } from '#domain/errors.ts'
import { findUnknownKeys, findWithoutKey } from '#persistence/scrub.ts'
import type { ListEntry, Listing } from '#store/object-store.ts'
import { requireStoreAvailable } from './read-objects.ts'
import type { ScrubContext } from './scrub-context.ts'

/** What the doctor writes it removes in the same breath; only what a dead doctor left lies there for longer. */
const doctorsKeys = 'doctor/'
const doctorsHour = 3_600_000

/**
 * Looks for what the store holds under keys that have no row. A row is committed before the store hears of its key, so
 * what is there and has none was forgotten by the database or brought by somebody else.
 * @throws StowageError `storage_unavailable` when the store is down; what a query fails with; the signal's reason
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
    const suspects = page.filter((listed) => !isDoctorsOwn(listed))
    const rowless = await withoutRow(scrub, suspects)
    for (const suspect of rowless) await confirm(scrub, listing, suspect)
  }
}

/**
 * Between the listing and the query, the purge may have removed the object and forgotten its row: so both are looked at
 * again, the object first.
 */
async function confirm(scrub: ScrubContext, listing: Listing, suspect: ListEntry): Promise<void> {
  const { store, signal } = scrub
  const lookAgain = async () => {
    const seen: ListEntry[] = []
    for await (const page of store.list(listing, { key: suspect.key, signal })) seen.push(...page)
    return seen.filter(({ uploadId }) => uploadId === suspect.uploadId)
  }
  const there = await retry(lookAgain, isStoreSilent, scrub)
  const [orphan] = await withoutRow(scrub, there)
  if (orphan) scrub.findings.orphaned(listing, orphan)
}

async function withoutRow(scrub: ScrubContext, listed: readonly ListEntry[]): Promise<ListEntry[]> {
  if (listed.length === 0) return []
  const keys = listed.map(({ key }) => key)
  const rowless = new Set(await scrub.ask((db) => findUnknownKeys(db, keys)))
  return listed.filter(({ key }) => rowless.has(key))
}

function isStoreSilent(error: unknown): boolean {
  return error instanceof StowageError && error.code === 'storage_unavailable'
}

function isDoctorsOwn({ key, storedAt }: ListEntry): boolean {
  return key.startsWith(doctorsKeys) && Date.now() - storedAt.getTime() < doctorsHour
}

const pageSize = 1000

/**
 * Looks for Ready attachments whose key the database does not know: their bytes are lost to every download, wherever they
 * lie.
 * @throws what a query fails with; the signal's reason
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
