import assert from 'node:assert/strict'
import { sql } from 'drizzle-orm'
import type { Stage } from '../real/stage.ts'

/** The rows are read last: each was committed before the store heard of its key. */
export async function everyKeyHasARow({ bucket, db }: Stage): Promise<void> {
  const { objects, uploads } = await bucket.remains()
  const rows = await db.execute<{ key: string }>(sql`select key from objects`)
  const known = new Set(rows.map(({ key }) => key))
  const unknown = [...objects, ...uploads].filter((key) => !known.has(key))
  assert.deepEqual(unknown, [], 'Every key in the bucket has a row')
}
