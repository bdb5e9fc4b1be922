import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '#config/config.ts'
import type { ClientTimeouts } from '#domain/limits.ts'
import type { RateLimits } from '#http/admission/rate-limits.ts'
import type { Database } from '#persistence/connection/client.ts'
import type { ObjectStore } from '#store/object-store.ts'

/** The parts of the server that others share. They are made once in `server.ts`, passed down and never imported. */
export interface AppContext {
  config: Config
  db: Database
  store: ObjectStore
  log: FastifyBaseLogger
  /** Where clients reach the server, without a slash at the end. */
  publicUrl(): string
  /** The key of `file_url` signatures. */
  urlSigningKey: string
  /** How long clients may keep the server waiting. */
  timeouts: ClientTimeouts
  /** How often clients may come. */
  rates: RateLimits
  /**
   * Takes a slot, which a request holds while it uploads, until it is disposed of.
   * @param owner whose upload it is
   * @throws StowageError `busy` when this replica has no slot free, `rate_limited` when the owner has too many
   */
  takeUploadSlot(owner: string): Disposable
  /** Takes a slot for an answer with the bytes of a file. @param owners whose download it is, or who answers for it */
  takeDownloadSlot(...owners: string[]): Disposable
  /** Wakes the purge for bytes that are to be removed before its next round. */
  wakePurge(): void
  /** Wakes the worker that finishes deletions, for one that is larger than its request waits for. */
  wakeDeletions(): void
}
