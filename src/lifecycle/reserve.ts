import { randomBytes } from 'node:crypto'
import { type Attachment, insertUploading } from '../db/transitions.ts'
import type { Deps } from '../deps.ts'
import { StowageError } from '../errors.ts'
import { contentTypeFrom } from './content-type.ts'
import { fileNameFrom } from './file-name.ts'

/** A file that is about to arrive. */
export interface Announced {
  messageId: number
  uploaderId: number
  fileName: string | undefined
  /** As the client claims it. */
  contentType: string | undefined
  actor: string
}

/** An attachment whose bytes are on their way, and the key they will lie under. */
export interface Reserved {
  attachment: Attachment
  objectKey: string
}

/**
 * Step 1: the intent row. Committed before the store hears of the key, so that whatever a crash leaves is found by query.
 * The key is random: it belongs to this attempt alone and tells nothing of the file.
 * @throws StowageError `invalid` for a bad name, `not_found` when the message is gone
 */
export async function reserve({ db, config }: Pick<Deps, 'db' | 'config'>, announced: Announced): Promise<Reserved> {
  const fileName = fileNameFrom(announced.fileName)
  const objectKey = newObjectKey()
  const attachment = await insertUploading(db, {
    messageId: announced.messageId,
    uploaderId: announced.uploaderId,
    fileName,
    contentType: contentTypeFrom(announced.contentType, fileName),
    checksumAlgorithm: config.checksumAlgorithm,
    objectKey,
    reason: 'The file began to arrive.',
    actor: announced.actor,
    leaseSeconds: config.uploadLeaseSeconds,
  })
  if (attachment === undefined) throw new StowageError('not_found', 'Message not found')
  return { attachment, objectKey }
}

/** 160 random bits in hex; the first two digits spread the keys over folders and partitions. */
function newObjectKey(): string {
  const name = randomBytes(20).toString('hex')
  return `${name.slice(0, 2)}/${name}`
}
