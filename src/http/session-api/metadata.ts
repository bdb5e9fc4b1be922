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
 * The representation of an attachment in seed 000, with `fileChecksumAlgorithm`, `contentType` and, after a failure,
 * `failureReason` added. Size and checksum are the measured values; before the measurement, the declared ones.
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
  /** True when there are earlier transitions. */
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
    // Thumbnails are not implemented.
    hasThumbnail: false,
    lastModifiedUtc: attachment.modifiedAt.getTime(),
    roomId: attachment.roomId,
    textMessageId: attachment.messageId,
  }
}

export function transitionOf({ id, from, to, at, reason, actor }: TransitionRecord): Static<typeof Transition> {
  return { transitionId: id, from, to, utc: at.getTime(), reason, actor }
}
