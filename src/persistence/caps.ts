import { type SQL, sql } from 'drizzle-orm'
import { statesAwaitingBytes } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { stateLiterals } from './quoted.ts'

// Conditions of a statement, which count no further than their cap.

/** A user has `most` attachments that await their bytes: reserved, or failed and not yet forgotten. */
export function isAtReservationLimit(uploaderId: number, most: number): SQL {
  return sql`(select count(*) >= ${most} from (
    select from attachments
    where uploader_id = ${uploaderId} and deleted_at is null and state in (${stateLiterals(statesAwaitingBytes)})
    limit ${most}
  ) awaiting)`
}

/** A message has `most` attachments, in any state. */
export function isAtAttachmentLimit(messageId: number, most: number): SQL {
  return sql`(select count(*) >= ${most} from (
    select from attachments where message_id = ${messageId} and deleted_at is null
    order by deleted_at, id limit ${most}
  ) held)`
}

/** Whether a condition is true now. */
export async function isTrue(db: Database, condition: SQL): Promise<boolean> {
  const [row] = await db.execute<{ holds: boolean }>(sql`select ${condition} as holds`)
  return row?.holds === true
}
