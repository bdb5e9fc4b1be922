import type { Attachment, Declared } from './attachment.ts'
import { type Content, sha256Of } from './content.ts'
import { mismatch, ready, type State, uploadFailed, uploading, verifyFailed, verifying } from './states.ts'

/** A file as a request sends it. */
export interface Sent {
  fileName: string
  content: Content
  declared: Declared
  /** What its sha256 has to be, as the client says, by whatever way. */
  digests: readonly string[]
  /** Known as soon as the attempt has begun. */
  attachment?: Attachment | undefined
  /** Which attempt at the attachment this is. */
  attempt: number
}

/** A request that brings the bytes of files. */
export class Upload {
  readonly number: number
  readonly replica: number
  readonly messageId: number
  readonly files: readonly Sent[]
  /** Something in it that fails the whole of it with 400, whatever its digests are. */
  readonly isMalformed: boolean
  /** One of its files was deleted or given up under it: it must not succeed any more. */
  isLost = false

  constructor(
    number: number,
    request: { replica: number; messageId: number; files: readonly Sent[]; isMalformed?: boolean },
  ) {
    this.number = number
    this.replica = request.replica
    this.messageId = request.messageId
    this.files = request.files
    this.isMalformed = request.isMalformed ?? false
  }

  /** What a request that is sent to its end comes to when nobody interferes. */
  get outcome(): { status: number; states: State[] } {
    if (this.isMalformed) return { status: 400, states: this.files.map(() => uploadFailed) }
    if (this.files.every(isAsDeclared)) return { status: 200, states: this.files.map(() => ready) }
    return { status: 422, states: this.files.map((file) => (isAsDeclared(file) ? uploadFailed : mismatch)) }
  }

  /** The attachments whose latest attempt is still this one and on its way. */
  get arriving(): Attachment[] {
    return this.files.filter(isArriving).map(({ attachment }) => attachment as Attachment)
  }

  /** Its attachments have come to where they come when nobody interferes. */
  succeedOrFail(): void {
    for (const [index, file] of this.files.entries())
      if (isArriving(file)) file.attachment?.settle(this.outcome.states[index] as State)
  }

  /** Its attachments have failed before they were whole. */
  fail(): void {
    for (const attachment of this.arriving) attachment.settle(uploadFailed)
  }

  /** It must not succeed any more, and its writer will notice sooner or later. */
  lose(): void {
    this.isLost = true
    for (const attachment of this.arriving) attachment.leaveOpen(uploadFailed)
  }

  /** Its writer died, or was interfered with, in the midst of finishing it: whatever it could come to is possible. */
  leaveOpen(): void {
    for (const attachment of this.arriving) attachment.leaveOpen(...this.ends)
  }

  /** Where its attachments can be on their way from here, and at the end of it. */
  get ends(): State[] {
    const wrong: State[] = this.files.every(isAsDeclared) ? [] : [mismatch]
    const good: State[] = this.outcome.status === 200 && !this.isLost ? [ready] : []
    return [uploadFailed, verifying, verifyFailed, ...wrong, ...good]
  }
}

function isAsDeclared({ content, digests }: Sent): boolean {
  return digests.every((digest) => digest === sha256Of(content))
}

function isArriving({ attachment, attempt }: Sent): boolean {
  return (
    attachment !== undefined &&
    !attachment.isDeleted &&
    attachment.attempt === attempt &&
    (attachment.state === uploading || attachment.state === verifying)
  )
}
