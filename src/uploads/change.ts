import type { AppContext } from '#app-context.ts'
import { attachmentNotFound, StowageError } from '#domain/errors.ts'
import { fileNameFrom } from '#domain/file-name.ts'
import { limits } from '#domain/limits.ts'
import { awaitsBytes, type ClientSideState, clientSideStates, legalMoves } from '#domain/states.ts'
import { changeAttachment, hasTransitioned, renameAttachment } from '#persistence/attachments.ts'
import type { AttachmentRecord } from '#persistence/queries.ts'
import type { Attachment } from '#persistence/schema.ts'
import { transition } from '#persistence/transitions.ts'

/** The changes that a client requests, at least one. */
export interface RequestedChange {
  /** The client's progress with its own checksum. */
  state?: ClientSideState | undefined
  /** Lower-case hex, in the attachment's algorithm. */
  checksum?: string | undefined
  fileName?: string | undefined
}

const reasons: Readonly<Record<ClientSideState, string>> = {
  ChecksumCalculationOnClientSideInProgress: 'The client computes the checksum.',
  ChecksumCalculationOnClientSideFailed: 'The client could not compute the checksum.',
}

/**
 * Applies all changes in one statement, or none. The name may change at any time; the declared checksum may change only while the
 * attachment awaits its bytes.
 * @param attachment an attachment that the caller may change
 * @param actor recorded in the history
 * @throws StowageError `invalid` for a bad name, `conflict` for a change that the state does not allow, or when the attachment was
 *   moved or deleted concurrently
 */
export async function change(
  context: Pick<AppContext, 'db'>,
  attachment: AttachmentRecord,
  { state, checksum: declaredChecksum, fileName }: RequestedChange,
  actor: string,
): Promise<Attachment> {
  const patch = { declaredChecksum, fileName: fileName === undefined ? undefined : fileNameFrom(fileName) }
  if (state !== undefined) return await transitionClientSide(context, attachment, state, patch, actor)
  if (declaredChecksum === undefined) return await rename(context, attachment, fileName ?? '')
  if (!awaitsBytes(attachment.state))
    throw refused(attachment, 'its bytes are there or on their way, so its checksum cannot be declared any more')
  const changed = await changeAttachment(context.db, attachment, patch)
  if (changed === undefined)
    throw new StowageError('conflict', 'The attachment was moved or deleted meanwhile. Read it again.')
  return changed
}

async function transitionClientSide(
  { db }: Pick<AppContext, 'db'>,
  attachment: AttachmentRecord,
  to: ClientSideState,
  patch: { declaredChecksum: string | undefined; fileName: string | undefined },
  actor: string,
): Promise<Attachment> {
  const { id, attempt, state: from } = attachment
  if (!legalMoves[from].includes(to)) throw refused(attachment, `it cannot move to ${to}`)
  if (await hasTransitioned(db, id, clientSideStates, limits.clientSideMoves))
    throw refused(attachment, `it was moved ${limits.clientSideMoves} times, and only takes its bytes now`)
  const [moved] = await transition(db, [{ id, attempt, ...patch }], { from, to, reason: reasons[to], actor })
  return moved as Attachment
}

function refused({ state }: AttachmentRecord, problem: string): StowageError {
  return new StowageError('conflict', `The attachment is in state ${state}: ${problem}. Read it again.`)
}

/**
 * Renames an attachment. The bytes keep their object key.
 * @param attachment an attachment that the caller may change
 * @throws StowageError `invalid` for a bad name, `not_found` when the attachment was deleted concurrently
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
