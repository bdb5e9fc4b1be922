import { type Static, Type } from 'typebox'
import { endOfLink, filePath, signedFilePath } from '#auth/signed-urls.ts'
import type { Principal } from '#domain/principal.ts'
import type { ReadyAttachment } from '#downloads/download.ts'
import type { HttpContext } from '#http/http-context.ts'
import type { AttachmentRecord, RoomRole } from '#persistence/queries.ts'

/** The attachment as seed 001 shows it. */
export const AttachmentObject = Type.Object({
  id: Type.String(),
  message_id: Type.String(),
  filename: Type.String(),
  file_url: Type.String(),
  file_type: Type.String(),
  file_size: Type.Integer(),
  created_at: Type.Integer({ description: 'Unix time in seconds' }),
})

/** Whom the object is for: what they are in its room decides what their link opens. */
export interface Reader {
  principal: Principal
  role: RoomRole
}

/** With a `file_url` minted now. For whoever may not read the file it is there too, unsigned: it opens nothing. */
export function attachmentObject(
  deps: Pick<HttpContext, 'config' | 'publicUrl' | 'urlSigningKey'>,
  attachment: ReadyAttachment<AttachmentRecord>,
  { principal, role }: Reader,
): Static<typeof AttachmentObject> {
  const mayRead = role !== null && principal.scopes.includes('read')
  return {
    id: attachment.publicId,
    message_id: attachment.messagePublicId,
    filename: attachment.fileName,
    file_url: `${deps.publicUrl()}${mayRead ? linkTo(deps, attachment, principal) : filePath(attachment)}`,
    file_type: attachment.contentType,
    file_size: attachment.fileSize,
    created_at: Math.floor(attachment.createdAt.getTime() / 1000),
  }
}

function linkTo(
  { config, urlSigningKey }: Pick<HttpContext, 'config' | 'urlSigningKey'>,
  { publicId, fileName, linkVersion }: AttachmentRecord,
  { now }: Principal,
): string {
  const expires = endOfLink(now(), config.fileUrlSeconds)
  return signedFilePath(urlSigningKey, { publicId, fileName, expires, linkVersion })
}
