import type { AppContext } from '#app-context.ts'
import { attachmentNotFound } from '#domain/errors.ts'
import type { AttachmentRecord } from '#persistence/attachments.ts'
import { softDelete } from '#persistence/deletion.ts'

/**
 * Deletes an attachment: gone for every replica when this resolves, its bytes soon after.
 * @param attachment one that the caller may delete
 * @throws StowageError `not_found` when it was deleted meanwhile
 */
export async function deleteAttachment(
  deps: Pick<AppContext, 'db' | 'wakePurge'>,
  { id }: AttachmentRecord,
): Promise<void> {
  const { count } = await softDelete(deps.db, { id })
  deps.wakePurge()
  if (count === 0) throw attachmentNotFound()
}
