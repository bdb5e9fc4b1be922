import { type Static, Type } from 'typebox'
import { signedFilePath } from '../../access/signed-urls.ts'
import type { AttachmentRecord } from '../../db/attachments.ts'
import type { Deps } from '../../deps.ts'
import type { ReadyAttachment } from '../../lifecycle/serve.ts'

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

/** With a `file_url` minted now. */
export function attachmentObject(
  { config, publicUrl, urlSigningKey }: Pick<Deps, 'config' | 'publicUrl' | 'urlSigningKey'>,
  attachment: ReadyAttachment<AttachmentRecord>,
): Static<typeof AttachmentObject> {
  const { publicId, fileName } = attachment
  const expires = Math.floor(Date.now() / 1000) + config.fileUrlSeconds
  return {
    id: publicId,
    message_id: attachment.messagePublicId,
    filename: fileName,
    file_url: `${publicUrl()}${signedFilePath(urlSigningKey, { publicId, fileName, expires })}`,
    file_type: attachment.contentType,
    file_size: attachment.fileSize,
    created_at: Math.floor(attachment.createdAt.getTime() / 1000),
  }
}
