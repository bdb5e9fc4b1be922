import assert from 'node:assert/strict'
import { type Content, sha256Of } from './content.ts'
import { awaitsBytes, initial, isFailed, isMeasured, isPassing, moves, type State, uploading, wayTo } from './states.ts'

/** What the client says of its file before its bytes come. */
export interface Declared {
  size: number | null
  checksum: string | null
}

/** What an attachment is, as far as what was done to it tells. */
export class Attachment {
  readonly id: number
  readonly messageId: number
  fileName: string
  readonly declared: Declared
  /** The two contents that clients send of it, of the same size. */
  readonly contents: readonly [Content, Content]
  /** Every state, from the first. */
  readonly history: State[] = [initial]
  attempt = 0
  /** The bytes of the latest attempt, all of them, however many have arrived. */
  arriving: Content | undefined
  isDeleted = false
  /** How many rows its history had then: there will be no more. */
  stepsWhenDeleted = 0
  /** Where else it may be found, when only looking can tell. */
  #orElse: readonly State[] = []

  constructor(
    { id, messageId, fileName }: { id: number; messageId: number; fileName: string },
    declared: Declared,
    contents: readonly [Content, Content],
  ) {
    this.id = id
    this.messageId = messageId
    this.fileName = fileName
    this.declared = { ...declared }
    this.contents = contents
  }

  get state(): State {
    return this.history.at(-1) as State
  }

  /** Whether its state is known without looking. */
  get isCertain(): boolean {
    return this.#orElse.length === 0
  }

  get awaitsBytes(): boolean {
    return awaitsBytes(this.state)
  }

  /** @throws Error when that is no legal move */
  moveTo(state: State): void {
    assert.ok(moves[this.state].includes(state), `A move from ${this.state} to ${state} was answered as done`)
    this.history.push(state)
    this.#orElse = []
    if (state === uploading) this.attempt += 1
  }

  begin(content: Content): void {
    this.moveTo(uploading)
    this.arriving = content
  }

  /** It is now in this state, by the only way there; it may have been seen on it already. */
  settle(state: State): void {
    for (const next of wayTo(this.state, state)) this.moveTo(next)
    this.#orElse = []
  }

  /** It is still where it was or on its way into one of these: only looking can tell. */
  leaveOpen(...states: State[]): void {
    this.#orElse = states.filter((state) => state !== this.state)
  }

  /** Takes notice of where it was found. @throws AssertionError when it cannot be there */
  see(state: State): void {
    if (state === this.state) return
    const where = [this.state, ...this.#orElse].join(' or ')
    assert.ok(this.#orElse.includes(state), `Attachment ${this.id} was to be ${where}, but is ${state}`)
    const orElse = this.#orElse
    this.settle(state)
    if (isPassing(state)) this.leaveOpen(...orElse)
  }

  /** Where it is at the end is where it stays. */
  get isAtRest(): boolean {
    return !isPassing(this.state)
  }

  /** The metadata of the cookie API that does not depend on the time. */
  metadata(roomId: number) {
    const measured = isMeasured(this.state) ? this.arriving : undefined
    return {
      attachmentId: this.id,
      attachmentState: this.state,
      fileChecksum: measured ? sha256Of(measured) : this.declared.checksum,
      fileChecksumAlgorithm: 'sha256',
      fileName: this.fileName,
      fileSize: measured ? measured.size : this.declared.size,
      hasThumbnail: false,
      hasFailureReason: isFailed(this.state),
      roomId,
      textMessageId: this.messageId,
    }
  }
}
