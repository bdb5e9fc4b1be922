import { attachmentNotFound } from '#auth/permissions.ts'
import type { AppContext } from '#deps.ts'
import { fileNameFrom } from '#domain/file-name.ts'
import { type AttachmentRecord, renameAttachment } from '#persistence/attachments.ts'

/**
 * Gives an attachment another name; the bytes stay where they are.
 * @param attachment one that the caller may change
 * @throws StowageError `invalid` for a bad name, `not_found` when it was deleted meanwhile
 */
export async function rename(
  { db }: Pick<AppContext, 'db'>,
  { id, messagePublicId }: AttachmentRecord,
  fileName: string,
): Promise<AttachmentRecord> {
  const renamed = await renameAttachment(db, id, fileNameFrom(fileName))
  if (!renamed) throw attachmentNotFound()
  return { ...renamed, messagePublicId }
}
