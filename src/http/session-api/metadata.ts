import { type Static, Type } from 'typebox'
import { attachmentStates, isFailed } from '#domain/states.ts'
import type { TransitionRecord } from '#persistence/queries.ts'
import type { Attachment } from '#persistence/schema.ts'

const State = Type.Enum([...attachmentStates])
const Milliseconds = Type.Integer({ description: 'Unix time in milliseconds' })

const Transition = Type.Object({
  transitionId: Type.Integer(),
  from: Type.Union([State, Type.Null()]),
  to: State,
  utc: Milliseconds,
  reason: Type.String(),
  actor: Type.String(),
})

/**
 * The attachment as seed 000 shows it, with `fileChecksumAlgorithm`, `contentType` and, when it failed, why. Size and
 * checksum are what was measured, before that what the client declared.
 */
export const Metadata = Type.Object({
  attachmentId: Type.Integer(),
  attachmentState: State,
  contentType: Type.String(),
  createdUtc: Milliseconds,
  failureReason: Type.Optional(Type.String()),
  fileChecksum: Type.Union([Type.String(), Type.Null()]),
  fileChecksumAlgorithm: Type.String(),
  fileName: Type.String(),
  fileSize: Type.Union([Type.Integer(), Type.Null()]),
  hasThumbnail: Type.Boolean(),
  lastModifiedUtc: Milliseconds,
  roomId: Type.Integer(),
  textMessageId: Type.Integer(),
  transitions: Type.Optional(Type.Array(Transition)),
  /** There are earlier steps than these. */
  hasMoreTransitions: Type.Optional(Type.Literal(true)),
})

export function metadataOf(attachment: Attachment): Static<typeof Metadata> {
  return {
    attachmentId: attachment.id,
    attachmentState: attachment.state,
    contentType: attachment.contentType,
    createdUtc: attachment.createdAt.getTime(),
    ...(isFailed(attachment.state) && { failureReason: attachment.failureReason ?? '' }),
    fileChecksum: attachment.fileChecksum ?? attachment.declaredChecksum,
    fileChecksumAlgorithm: attachment.fileChecksumAlgorithm,
    fileName: attachment.fileName,
    fileSize: attachment.fileSize ?? attachment.declaredSize,
    // No thumbnails are made yet, so no attachment has one.
    hasThumbnail: false,
    lastModifiedUtc: attachment.modifiedAt.getTime(),
    roomId: attachment.roomId,
    textMessageId: attachment.messageId,
  }
}

export function transitionOf({ id, from, to, at, reason, actor }: TransitionRecord): Static<typeof Transition> {
  return { transitionId: id, from, to, utc: at.getTime(), reason, actor }
}
