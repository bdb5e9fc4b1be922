import { randomBytes } from 'node:crypto'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { awaitsBytes } from '#domain/states.ts'
import { type Attachment, insertIntent, startAttempt, type Writer } from '#persistence/transitions.ts'
import type { UploadAttempt } from './attempt.ts'
import { type FileDeclaration, refusalFor, reservationOf } from './reserve.ts'

const reason = 'The file began to arrive.'

/**
 * Step 1: the intent row. Committed before the store hears of the key, so that whatever a crash leaves is found by query.
 * @throws StowageError `invalid` for a bad name, `not_found` when the message is gone, `conflict` when it is full
 */
export async function startNew(
  deps: Pick<AppContext, 'db' | 'config'>,
  announced: FileDeclaration,
  requestId: string,
): Promise<UploadAttempt> {
  const writer = newWriter(deps, requestId)
  const intent = { ...reservationOf(deps, announced), ...writer, reason }
  const attachment = await insertIntent(deps.db, intent)
  if (attachment === undefined) throw await refusalFor(deps, announced)
  return arriving(attachment, writer)
}

/**
 * Step 1 for an attachment that is there already: its first attempt, or one more after those that failed.
 * @param contentType what is known of it by now
 * @throws StowageError `conflict` when its bytes are there or on their way, or it was deleted meanwhile
 */
export async function startReserved(
  deps: Pick<AppContext, 'db' | 'config'>,
  attachment: Attachment,
  { contentType, actor, requestId }: { contentType: string; actor: string; requestId: string },
): Promise<UploadAttempt> {
  if (!awaitsBytes(attachment.state))
    throw new StowageError(
      'conflict',
      `The bytes of this attachment are there or on their way: its state is ${attachment.state}. Read it again.`,
    )
  const writer = newWriter(deps, requestId)
  return arriving(await startAttempt(deps.db, attachment, { ...writer, contentType, reason, actor }), writer)
}

function arriving(attachment: Attachment, { objectKey }: Writer): UploadAttempt {
  const { id, attempt, fileChecksumAlgorithm: algorithm, declaredSize, declaredChecksum } = attachment
  return {
    attempt: { id, attempt },
    objectKey,
    algorithm,
    declaredSize: declaredSize ?? undefined,
    declaredDigests: declaredChecksum === null ? [] : [{ algorithm, hex: declaredChecksum }],
  }
}

/**
 * The key is 160 random bits in hex: it belongs to this attempt alone and tells nothing of the file. Its first two digits
 * spread the keys over folders and partitions.
 */
function newWriter({ config }: Pick<AppContext, 'config'>, requestId: string): Writer {
  const name = randomBytes(20).toString('hex')
  return { objectKey: `${name.slice(0, 2)}/${name}`, leaseSeconds: config.uploadLeaseSeconds, requestId }
}
