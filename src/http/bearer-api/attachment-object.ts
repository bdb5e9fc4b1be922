import { type Static, Type } from 'typebox'
import { endOfLink, filePath, signedFilePath } from '#auth/signed-urls.ts'
import type { Principal } from '#domain/principal.ts'
import type { ReadyAttachment } from '#downloads/download.ts'
import type { HttpContext } from '#http/http-context.ts'
import type { AttachmentRecord, RoomRole } from '#persistence/queries.ts'

/** The representation of an attachment in seed 001. */
export const AttachmentObject = Type.Object({
  id: Type.String(),
  message_id: Type.String(),
  filename: Type.String(),
  file_url: Type.String(),
  file_type: Type.String(),
  file_size: Type.Integer(),
  created_at: Type.Integer({ description: 'Unix time in seconds' }),
})

/** The user for whom the object is made. The role in the attachment's room decides whether the link is signed. */
export interface Reader {
  principal: Principal
  role: RoomRole
}

/** Builds the object with a fresh `file_url`. A user without permission to read the file gets an unsigned URL, which is refused. */
export function attachmentObject(
  context: Pick<HttpContext, 'config' | 'publicUrl' | 'urlSigningKey'>,
  attachment: ReadyAttachment<AttachmentRecord>,
  { principal, role }: Reader,
): Static<typeof AttachmentObject> {
  const mayRead = role !== null && principal.scopes.includes('read')
  return {
    id: attachment.publicId,
    message_id: attachment.messagePublicId,
    filename: attachment.fileName,
    file_url: `${context.publicUrl()}${mayRead ? linkTo(context, attachment, principal) : filePath(attachment)}`,
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
