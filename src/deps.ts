import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import type { Database } from './db/client.ts'
import type { RateLimits } from './http/plugins/rate-limits.ts'
import type { Patience } from './limits.ts'
import type { ObjectStore } from './store/object-store.ts'

/** What the parts of the server share. Made once in `server.ts`, passed down, never imported. */
export interface Deps {
  config: Config
  db: Database
  store: ObjectStore
  log: FastifyBaseLogger
  /** Where clients reach the server, without a slash at the end. */
  publicUrl(): string
  /** The key of `file_url` signatures. */
  urlSigningKey: string
  /** How long clients may keep us waiting. */
  patience: Patience
  /** How often they may come. */
  rates: RateLimits
  /**
   * Held while a request uploads, until disposed.
   * @param owner whose it is
   * @throws StowageError `busy` when this replica has no more to give, `rate_limited` when the owner has too many
   */
  takeUploadSlot(owner: string): Disposable
  /** The same while an answer brings the bytes of a file. @param owners whose download it is, or who answers for it */
  takeDownloadSlot(...owners: string[]): Disposable
  /** Tells the purge that there are bytes to remove now, rather than at its next round. */
  purgeSoon(): void
  /** Tells the workers that a deletion is larger than its request waits for, rather than at their next round. */
  finishDeletionsSoon(): void
}
