import { and, eq, isNull, sql } from 'drizzle-orm'
import type { AttachmentState } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { type Attachment, attachments } from './schema.ts'
import { stateLiterals } from './statements.ts'

/** Whether an attachment was moved into one of the states at least `times` times. The count stops at `times`. */
export async function hasTransitioned(
  db: Database,
  attachmentId: number,
  states: readonly AttachmentState[],
  times: number,
): Promise<boolean> {
  const [row] = await db.execute<{ has: boolean }>(sql`
    select count(*) >= ${times} as has from (
      select from transitions where attachment_id = ${attachmentId} and "to" in (${stateLiterals(states)}) limit ${times}
    ) counted`)
  return row?.has === true
}

/** The number of renames after a rename to `fileName`. */
const afterRename = (fileName: string) =>
  sql`${attachments.linkVersion} + (${attachments.fileName} <> ${fileName})::integer`

/**
 * Renames an attachment. A new name invalidates all existing links. The current name leaves them valid.
 * @returns `undefined` when the attachment is deleted
 */
export async function renameAttachment(db: Database, id: number, fileName: string): Promise<Attachment | undefined> {
  const [row] = await db
    .update(attachments)
    .set({ fileName, linkVersion: afterRename(fileName), modifiedAt: sql`now()` })
    .where(and(eq(attachments.id, id), isNull(attachments.deletedAt)))
    .returning()
  return row
}

/** The changes that a client may make to an attachment without a transition. */
export interface Changes {
  fileName?: string | undefined
  declaredChecksum?: string | undefined
}

/**
 * Changes an attachment that is still in the given state and attempt.
 * @returns `undefined` when the attachment has another state or attempt, or is deleted
 */
export async function changeAttachment(
  db: Database,
  { id, state, attempt }: Pick<Attachment, 'id' | 'state' | 'attempt'>,
  changes: Changes,
): Promise<Attachment | undefined> {
  const isUnchanged = and(eq(attachments.id, id), eq(attachments.state, state), eq(attachments.attempt, attempt))
  const [row] = await db
    .update(attachments)
    .set({ ...changes, modifiedAt: sql`now()` })
    .where(and(isUnchanged, isNull(attachments.deletedAt)))
    .returning()
  return row
}
