import type { Config } from '#config/config.ts'
import type { Logger } from '#domain/logger.ts'
import type { Database, DatabaseClient } from '#persistence/connection/client.ts'
import type { ObjectStore } from '#store/object-store.ts'

/** The configuration and the connections from which a process is composed. The process that opens them closes them. */
export interface AppParts {
  config: Config
  database: DatabaseClient
  store: ObjectStore
  /** True once the process has been asked to stop. */
  isDraining?: () => boolean
}

/** The dependencies that services share. `server.ts` creates them once and passes them down; no module imports them. */
export interface AppContext {
  config: Config
  db: Database
  store: ObjectStore
  log: Logger
  /**
   * Takes a slot for an upload request, which holds it until it is disposed.
   * @param owner the user who uploads
   * @throws StowageError `busy` when this replica has no free slot, `rate_limited` when the owner holds too many
   */
  takeUploadSlot(owner: string): Disposable
  /**
   * Takes a slot for a download, as {@link takeUploadSlot} does.
   * @param owners the user who downloads; for a signed link, the file and its uploader
   */
  takeDownloadSlot(...owners: string[]): Disposable
  /** Wakes the purge, to remove bytes before its next round. */
  wakePurge(): void
  /** Wakes the worker that resumes deletions, for a deletion too large for its request to finish. */
  wakeDeletions(): void
}
