import { sql } from 'drizzle-orm'
import type { AttachmentState } from '../lifecycle/states.ts'
import { type Database, rowsOf } from './client.ts'
import { attachments } from './schema.ts'
import type { Attempt } from './transitions.ts'

/**
 * Tells that the writer of these attempts lives.
 * @returns how many of them are still its own: fewer than given means that one was failed or deleted meanwhile
 */
export async function renewLeases(db: Database, attempts: readonly Attempt[], leaseSeconds: number): Promise<number> {
  const rows = await db.execute(sql`
    update attachments a set lease_expires_at = now() + make_interval(secs => ${leaseSeconds})
    from jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb) as w(id bigint, attempt integer)
    where a.id = w.id and a.attempt = w.attempt and a.lease_expires_at is not null and a.deleted_at is null
    returning a.id`)
  return rows.length
}

/** Attempts whose writer has been silent past its lease. */
export async function findExpiredLeases(
  db: Database,
  limit: number,
): Promise<(Attempt & { state: AttachmentState })[]> {
  const rows = await db.execute(sql`
    select * from attachments where lease_expires_at < now() and deleted_at is null order by lease_expires_at limit ${limit}`)
  return rowsOf(attachments, rows).map(({ id, attempt, state }) => ({ id, attempt, state }))
}
