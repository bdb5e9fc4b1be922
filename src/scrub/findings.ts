import type { Logger } from '#domain/logger.ts'
import type { Scrubbable, ScrubCounts } from '#persistence/scrub.ts'
import type { ObjectHash } from '#store/hash-object.ts'
import type { ListEntry, Listing } from '#store/object-store.ts'

/** Counts what a scrub finds, and tells each thing that is not as it should be in a line of the log. */
export class Findings {
  readonly counts: ScrubCounts = { whole: 0, damaged: 0, missing: 0, orphaned: 0 }
  /** Objects of which nobody can say what they are. */
  unreadable = 0
  /** Listings that the store did not give. */
  unlisted = 0
  /** Bytes, those included that were read in vain. */
  bytes = 0
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  get hasDamage(): boolean {
    const { damaged, missing, orphaned } = this.counts
    return damaged + missing + orphaned > 0
  }

  damaged(object: Scrubbable, found: ObjectHash): void {
    this.counts.damaged += 1
    this.#log.error(
      { finding: 'damaged', ...namesOf(object), found },
      'the stored bytes are not those that were uploaded',
    )
  }

  missing(object: Scrubbable): void {
    this.counts.missing += 1
    this.#log.error({ finding: 'missing', ...namesOf(object) }, 'the stored bytes are not there')
  }

  /** Of an attachment whose row nobody can follow to its bytes. */
  missingKey(attachmentId: number): void {
    this.counts.missing += 1
    this.#log.error({ finding: 'missing', attachmentId }, 'the key of the stored bytes is not known')
  }

  orphaned(listing: Listing, { key, ...listed }: ListEntry): void {
    this.counts.orphaned += 1
    this.#log.error({ finding: 'orphaned', key, what: wordFor[listing], ...listed }, 'no row knows what is stored here')
  }

  couldNotRead(object: Scrubbable, err: unknown): void {
    this.unreadable += 1
    this.#log.error({ ...namesOf(object), err }, 'the stored bytes could not be read')
  }

  couldNotList(listing: Listing, err: unknown): void {
    this.unlisted += 1
    this.#log.error({ what: wordFor[listing], err }, 'not listed: those that no row knows are not found')
  }

  /** Of a listing that the scrub does without. */
  mayNotList(listing: Listing, err: unknown): void {
    this.#log.warn({ what: wordFor[listing], err }, 'not listed: those that no row knows are not found')
  }
}

/** One of them, as the log calls it. */
const wordFor = {
  objects: 'object',
  versions: 'old version',
  uploads: 'unfinished upload',
} as const satisfies Record<Listing, string>

function namesOf({ key, attachmentId, size, digest, algorithm }: Scrubbable) {
  return { key, attachmentId, algorithm, expected: { size, digest } }
}
