import type { Config } from '#config/config.ts'
import type { Logger } from '#domain/logger.ts'
import type { Database } from '#persistence/connection/client.ts'
import type { ObjectStore } from '#store/object-store.ts'

/** The parts of the server that services share. They are made once in `server.ts`, passed down and never imported. */
export interface AppContext {
  config: Config
  db: Database
  store: ObjectStore
  log: Logger
  /**
   * Takes a slot, which a request holds while it uploads, until it is disposed of.
   * @param owner whose upload it is
   * @throws StowageError `busy` when this replica has no slot free, `rate_limited` when the owner has too many
   */
  takeUploadSlot(owner: string): Disposable
  /** Takes a slot for a download, as {@link takeUploadSlot} does. @param owners whose download it is, or who answers for it */
  takeDownloadSlot(...owners: string[]): Disposable
  /** Wakes the purge for bytes that are to be removed before its next round. */
  wakePurge(): void
  /** Wakes the worker that resumes deletions, for one that is larger than its request waits for. */
  wakeDeletions(): void
}
