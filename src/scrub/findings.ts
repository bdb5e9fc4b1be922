import type { Logger } from '#domain/logger.ts'
import type { Scrubbable, ScrubCounts } from '#persistence/scrub.ts'
import type { ObjectHash } from '#store/hash-object.ts'
import type { ListEntry, Listing } from '#store/object-store.ts'

/** Counts the findings of a scrub, and logs each problem in one line. */
export class Findings {
  readonly counts: ScrubCounts = { whole: 0, damaged: 0, missing: 0, orphaned: 0 }
  /** Number of objects that could not be read. */
  unreadable = 0
  /** Number of listings that failed. */
  unlisted = 0
  /** Bytes read, including those of failed tries. */
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
      { finding: 'damaged', ...fieldsOf(object), found },
      'the stored bytes are not those that were uploaded',
    )
  }

  missing(object: Scrubbable): void {
    this.counts.missing += 1
    this.#log.error({ finding: 'missing', ...fieldsOf(object) }, 'the stored bytes are not there')
  }

  /** An attachment without an object key in the database. */
  missingKey(attachmentId: number): void {
    this.counts.missing += 1
    this.#log.error({ finding: 'missing', attachmentId }, 'the key of the stored bytes is not known')
  }

  orphaned(listing: Listing, { key, ...listed }: ListEntry): void {
    this.counts.orphaned += 1
    this.#log.error({ finding: 'orphaned', key, what: nounOf[listing], ...listed }, 'no row knows what is stored here')
  }

  couldNotRead(object: Scrubbable, err: unknown): void {
    this.unreadable += 1
    this.#log.error({ ...fieldsOf(object), err }, 'the stored bytes could not be read')
  }

  couldNotList(listing: Listing, err: unknown): void {
    this.unlisted += 1
    this.#log.error({ what: nounOf[listing], err }, 'not listed: those that no row knows are not found')
  }

  /** A listing that the store forbids. The scrub continues without it. */
  mayNotList(listing: Listing, err: unknown): void {
    this.#log.warn({ what: nounOf[listing], err }, 'not listed: those that no row knows are not found')
  }
}

/** The log's noun for an entry of each listing. */
const nounOf = {
  objects: 'object',
  versions: 'old version',
  uploads: 'unfinished upload',
} as const satisfies Record<Listing, string>

function fieldsOf({ key, attachmentId, size, digest, algorithm }: Scrubbable) {
  return { key, attachmentId, algorithm, expected: { size, digest } }
}
