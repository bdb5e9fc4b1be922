import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import type { Database } from './db/client.ts'
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
  /** Held while a request uploads, until disposed. @throws StowageError `busy` when this replica has no more to give */
  takeUploadSlot(): Disposable
  /** Tells the purge that there are bytes to remove now, rather than at its next round. */
  purgeSoon(): void
  /** Tells the workers that a deletion is larger than its request waits for, rather than at their next round. */
  finishDeletionsSoon(): void
}
