import type { Bucket } from '../cluster/bucket.ts'
import type { Violation } from '../workload/journal.ts'
import type { Key, Row } from './evidence.ts'
import { isObjectOf } from './recovery.ts'
import { ready } from './state-table.ts'

/** How many objects are read at once. */
const readers = 6

/**
 * Reads the objects of Ready attachments, and hashes them.
 * @param known the keys whose bytes were found to be right before; they are not read again
 * @param tell says what there is to say of a row
 */
export async function checkBytes(
  bucket: Bucket,
  { rows, keys }: { rows: readonly Row[]; keys: readonly Key[] },
  known: Set<string>,
  tell: (what: string, row: Row, key: Key | undefined) => string,
): Promise<Violation[]> {
  const keyOf = new Map(keys.map((key) => [`${key.attachmentId}/${key.attempt}`, key]))
  const found: Violation[] = []
  const next = rows.filter(({ state, isDeleted }) => state === ready && !isDeleted)[Symbol.iterator]()
  const read = async () => {
    for (const row of next) {
      const key = keyOf.get(`${row.id}/${row.attempt}`)
      if (key && known.has(key.key)) continue
      const fault = await faultOf(bucket, row, key)
      if (fault) found.push({ kind: fault.kind, text: tell(fault.what, row, key) })
      else known.add(key?.key ?? '')
    }
  }
  await Promise.all(Array.from({ length: readers }, read))
  return found
}

async function faultOf(bucket: Bucket, row: Row, key: Key | undefined) {
  if (key === undefined || !isObjectOf(row, key)) return { kind: 'lost', what: 'Ready, and without a key' } as const
  const stored = await bucket.digest(key.key)
  if (stored === undefined) return { kind: 'lost', what: 'Ready, and without an object' } as const
  if (stored.size === row.size && stored.sha256 === row.checksum) return undefined
  return { kind: 'wrong', what: `Ready, and its object is ${JSON.stringify(stored)}` } as const
}
