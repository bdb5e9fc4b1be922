import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import type { Database } from './db/client.ts'
import type { UploadSlots } from './lifecycle/upload-slots.ts'
import type { ObjectStore } from './store/object-store.ts'

/** What the parts of the server share. Made once in `server.ts`, passed down, never imported. */
export interface Deps {
  config: Config
  db: Database
  store: ObjectStore
  slots: UploadSlots
  log: FastifyBaseLogger
  /** Where clients reach the server, without a slash at the end. */
  publicUrl(): string
  /** The key of `file_url` signatures. */
  urlSigningKey: string
  /** Tells the purge that there are bytes to remove now, rather than at its next round. */
  purgeSoon(): void
}
