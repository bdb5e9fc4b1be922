import type { Attachment } from './attachment.ts'
import type { Sent, Upload } from './upload.ts'

export interface Message {
  id: number
  isDeleted: boolean
}

/** Everything that the steps of one run have made, as it ought to be. */
export class Model {
  readonly roomId: number
  readonly messages: readonly Message[]
  readonly attachments: Attachment[] = []
  /** Requests that are open: begun, and neither finished nor hung up. */
  readonly held: Upload[] = []
  /** Files of forms, by their names, that appear as attachments when their bytes begin to arrive. */
  readonly announced = new Map<string, { upload: Upload; file: Sent }>()
  readonly forms: Upload[] = []
  uploads = 0

  constructor(roomId: number, messageIds: readonly number[]) {
    this.roomId = roomId
    this.messages = messageIds.map((id) => ({ id, isDeleted: false }))
  }

  get alive(): Attachment[] {
    return this.attachments.filter(({ isDeleted }) => !isDeleted)
  }

  /** Those that can be worked with: there, and where is known. */
  get certain(): Attachment[] {
    return this.alive.filter(({ isCertain }) => isCertain)
  }

  get awaiting(): Attachment[] {
    return this.certain.filter(({ awaitsBytes }) => awaitsBytes)
  }

  get openMessages(): Message[] {
    return this.messages.filter(({ isDeleted }) => !isDeleted)
  }

  nextUpload(): number {
    this.uploads += 1
    return this.uploads
  }

  announce(upload: Upload): void {
    this.forms.push(upload)
    for (const file of upload.files) this.announced.set(file.fileName, { upload, file })
  }

  /** It is not open any more. */
  release(upload: Upload): void {
    const index = this.held.indexOf(upload)
    if (index >= 0) this.held.splice(index, 1)
  }

  /** Deleted: whoever is still sending its bytes must not succeed. */
  softDelete(attachment: Attachment): void {
    attachment.isDeleted = true
    for (const upload of this.held) if (isOf(upload, attachment)) upload.lose()
  }
}

function isOf(upload: Upload, attachment: Attachment): boolean {
  return upload.files.some((file) => file.attachment === attachment && file.attempt === attachment.attempt)
}

export const pick = <T>(list: readonly T[], number: number): T => list[number % list.length] as T
