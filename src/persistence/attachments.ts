import { and, eq, isNull, sql } from 'drizzle-orm'
import type { AttachmentState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { type Attachment, attachments } from './schema.ts'
import { stateLiterals } from './statements.ts'

/** Whether an attachment has been moved into one of the states so many times. Counts no further. */
export async function hasTransitioned(
  db: Database,
  attachmentId: number,
  states: readonly AttachmentState[],
  times: number,
): Promise<boolean> {
  const [row] = await db.execute<{ has: boolean }>(sql`
    select count(*) >= ${times} as has from (
      select from transitions where attachment_id = ${attachmentId} and "to" in (${stateLiterals(states)}) limit ${times}
    ) moves`)
  return row?.has === true
}

/** The count of renames, once an attachment is called `fileName`. */
const afterRename = (fileName: string) =>
  sql`${attachments.linkVersion} + (${attachments.fileName} <> ${fileName})::integer`

/** Gives an attachment another name, for which no link was ever made; its own name again is no change. @returns `undefined` when it was deleted meanwhile */
export async function renameAttachment(db: Database, id: number, fileName: string): Promise<Attachment | undefined> {
  const [row] = await db
    .update(attachments)
    .set({ fileName, linkVersion: afterRename(fileName), modifiedAt: sql`now()` })
    .where(and(eq(attachments.id, id), isNull(attachments.deletedAt)))
    .returning()
  return row
}

/** What a client may change of an attachment that stays in its state. */
export interface Changes {
  fileName?: string | undefined
  declaredChecksum?: string | undefined
}

/**
 * Changes an attachment that is still in the state and attempt it was seen in.
 * @returns `undefined` when it is elsewhere by now, or deleted
 */
export async function changeAttachment(
  db: Database,
  { id, state, attempt }: Pick<Attachment, 'id' | 'state' | 'attempt'>,
  changes: Changes,
): Promise<Attachment | undefined> {
  const isAsSeen = and(eq(attachments.id, id), eq(attachments.state, state), eq(attachments.attempt, attempt))
  const [row] = await db
    .update(attachments)
    .set({ ...changes, modifiedAt: sql`now()` })
    .where(and(isAsSeen, isNull(attachments.deletedAt)))
    .returning()
  return row
}
