import { attachmentNotFound } from '#auth/permissions.ts'
import type { Deps } from '#deps.ts'
import type { AttachmentRecord } from '#persistence/attachments.ts'
import { bury } from '#persistence/deletion.ts'

/**
 * Deletes an attachment: gone for every replica when this resolves, its bytes soon after.
 * @param attachment one that the caller may delete
 * @throws StowageError `not_found` when it was deleted meanwhile
 */
export async function remove(deps: Pick<Deps, 'db' | 'purgeSoon'>, { id }: AttachmentRecord): Promise<void> {
  const { count } = await bury(deps.db, { id })
  deps.purgeSoon()
  if (count === 0) throw attachmentNotFound()
}
