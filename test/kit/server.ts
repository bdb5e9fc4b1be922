import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import type { Test } from 'tap'
import { createSession, createToken } from '#auth/credentials.ts'
import { openStore } from '#commands/open-resources.ts'
import { type Config, readConfig } from '#config/config.ts'
import type { ClientTimeouts } from '#domain/limits.ts'
import type { Logger } from '#domain/logger.ts'
import { allScopes, type Scope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { type Database, openDatabase } from '#persistence/connection/client.ts'
import { migrateDatabase } from '#persistence/migration/migrate.ts'
import { FailedReads } from '#recovery/failed-reads.ts'
import { recover } from '#recovery/recover.ts'
import { retryVerification } from '#recovery/retry-verification.ts'
import { putMessage } from '#rooms/messages.ts'
import { putRoom } from '#rooms/rooms.ts'
import { putUsers } from '#rooms/users.ts'
import { buildServer } from '#server.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { bucketSettings, createTestBucket } from './bucket.ts'
import { createTestDatabase } from './database.ts'

export type StoreKind = 'disk' | 's3'

export interface TestServerOptions {
  store: StoreKind
  /** Settings on top of the defaults, by their names in the environment. */
  env?: Record<string, string>
  /** Puts something between the server and its store. */
  wrapStore?: (store: ObjectStore) => ObjectStore
  /** Whether recovery, purge and retention run by themselves, as they do unless a test runs them itself. */
  withWorkers?: boolean
  /** How long clients may keep it waiting; by default as long as in production. */
  timeouts?: Partial<ClientTimeouts>
}

export interface TestServer {
  /** `http://127.0.0.1:port`, a real socket. */
  url: string
  app: App
  config: Config
  db: Database
  databaseUrl: string
  store: ObjectStore
  log: Logger
  /** Do nothing: the tests look for what is due themselves. */
  wakePurge(): void
  wakeDeletions(): void
  /** The header of a new session of a user. */
  cookie(userId: number): Promise<{ cookie: string }>
  /** The header of a new token of a user; read and write unless named. */
  bearer(userId: number, scopes?: readonly Scope[]): Promise<{ authorization: string }>
  /** The settings, by their names in the environment, of another process on the same database and store. */
  settings: Record<string, string>
  /** What the store holds: keys of objects, and of unfinished uploads. */
  remains(): Promise<{ objects: string[]; uploads: string[] }>
  /** How many attachments are in each state, deleted ones left out. */
  states(): Promise<Record<string, number>>
  /** What recovery and verification do at their next round, done now. */
  recover(): Promise<void>
  /** How many keys the purge still has to remove for the first time. */
  unpurged(): Promise<number>
}

export const urlSigningKey = 'k'.repeat(32)

/** Tests come from one address, as few users, and as fast as they can. */
const anyRate = { REQUESTS_PER_MINUTE: '0', REQUESTS_PER_MINUTE_PER_ADDRESS: '0' }

/**
 * The whole server on a real socket, with a database and a bucket or folder of its own, all gone when the test ends.
 * Room 1 has users 1 (moderator), 2 and 3, and message 1 by user 1; room 9 has user 9 and message 9.
 */
export async function startTestServer(
  t: Test,
  { store: kind, env, wrapStore, withWorkers = true, timeouts = {} }: TestServerOptions,
): Promise<TestServer> {
  const databaseUrl = await createTestDatabase(t)
  await migrateDatabase(databaseUrl)
  const database = openDatabase(databaseUrl)
  const place = kind === 's3' ? await bucketPlace(t) : await folderPlace(t)
  const config = readConfig({ LOG_LEVEL: 'silent', PORT: '0', DEMO: 'false', ...anyRate, ...place.env, ...env })
  const opened = await openStore(config)
  const store = wrapStore ? wrapStore(opened) : opened
  const app = await buildServer({
    config,
    database,
    store,
    urlSigningKey,
    withWorkers,
    timeouts,
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    app.server.closeAllConnections()
    await app.close()
    await opened.close()
    await database.close()
  })
  const { db } = database
  await putRoom(db, 1, { memberIds: [1, 2, 3], moderatorIds: [1] })
  await putMessage(db, 1, { roomId: 1, authorId: 1 })
  await putRoom(db, 9, { memberIds: [9], moderatorIds: [] })
  await putMessage(db, 9, { roomId: 9, authorId: 9 })
  return {
    ...{ url, app, config, db, databaseUrl, store, log: app.log, remains: place.remains },
    settings: { DATABASE_URL: databaseUrl, ...place.env, ...env },
    wakePurge() {},
    wakeDeletions() {},
    async cookie(userId) {
      await putUsers(db, [userId])
      const { session } = await createSession(db, { userId, scopes: ['read', 'write'] })
      return { cookie: `${config.sessionCookie}=${session}` }
    },
    async bearer(userId, scopes = ['read', 'write']) {
      await putUsers(db, [userId])
      const { token } = await createToken(db, { userId, scopes, expiresAt: null })
      return { authorization: `Bearer ${token}` }
    },
    states: () => countStates(db),
    async recover() {
      const failedReads = new FailedReads(config.uploadLeaseSeconds)
      const context = { config, db, store, log: app.log, wakePurge() {}, failedReads }
      const { signal } = new AbortController()
      while (await recover(context));
      while (await retryVerification(context, signal));
    },
    async unpurged() {
      const rows = await db.execute(sql`select key from objects where purge_at is not null and purges = 0`)
      return rows.length
    },
  }
}

/** A token that may do everything. */
export const everything = allScopes

async function countStates(db: Database): Promise<Record<string, number>> {
  const rows = await db.execute<{ state: string; count: string }>(sql`
    select state, count(*) from attachments where deleted_at is null group by state`)
  return Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)]))
}

interface Place {
  env: Record<string, string>
  remains: TestServer['remains']
}

async function bucketPlace(t: Test): Promise<Place> {
  const bucket = await createTestBucket(t)
  return { env: bucketSettings(bucket), remains: bucket.remains }
}

async function folderPlace(t: Test): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return {
    env: { DATA_DIR: folder },
    async remains() {
      const entries = await readdir(join(folder, 'objects'), { recursive: true, withFileTypes: true })
      const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
      const isPartial = (name: string) => name.includes('.partial')
      return { objects: files.filter((name) => !isPartial(name)), uploads: files.filter(isPartial) }
    },
  }
}
