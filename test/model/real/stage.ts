import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import { createSession, createToken } from '#auth/credentials.ts'
import { type Database, openDatabase } from '#persistence/connection/client.ts'
import { migrateDatabase } from '#persistence/migration/migrate.ts'
import { putMessage } from '#rooms/messages.ts'
import { putRoom } from '#rooms/rooms.ts'
import { putUsers } from '#rooms/users.ts'
import { bucketSettings, createTestBucket, type TestBucket } from '../../kit/bucket.ts'
import { createTestDatabase } from '../../kit/database.ts'
import { Model } from '../expected/model.ts'
import { Replicas } from './replicas.ts'
import { Run } from './run.ts'

const user = 1
const messagesARun = 2

/** What all runs share: two servers on a database and a bucket. */
export interface Stage {
  replicas: Replicas
  db: Database
  bucket: TestBucket
  cookie: { cookie: string }
  admin: { authorization: string }
  /** How many steps of each kind were taken. */
  counts: Map<string, number>
}

/**
 * One of the servers believes the store's checksums, the other one looks at sizes only, and so verifies in two statements.
 */
export async function openStage(t: Test): Promise<Stage> {
  const bucket = await createTestBucket(t)
  const databaseUrl = await createTestDatabase(t)
  await migrateDatabase(databaseUrl)
  const { db, close } = openDatabase(databaseUrl)
  t.teardown(close)
  const settings = {
    DATABASE_URL: databaseUrl,
    ...bucketSettings(bucket),
    URL_SIGNING_KEY: createHash('sha256').update(databaseUrl).digest('hex'),
    UPLOAD_LEASE_SECONDS: '3',
    // However slow the machine, a request that is held is not idle for too long.
    UPLOAD_IDLE_SECONDS: '600',
    LOG_LEVEL: 'info',
  }
  const replicas = new Replicas(t, [settings, { ...settings, S3_CHECKSUMS: 'off' }])
  await replicas.allRun()
  await putUsers(db, [user])
  const { session } = await createSession(db, { userId: user, scopes: ['read', 'write'] })
  const { token } = await createToken(db, { userId: user, scopes: ['read', 'write', 'admin'], expiresAt: null })
  return {
    ...{ replicas, db, bucket },
    cookie: { cookie: `session=${session}` },
    admin: { authorization: `Bearer ${token}` },
    counts: new Map(),
  }
}

/** A room of its own for each run: nothing of one is seen in another. */
export async function beginRun(stage: Stage, number: number): Promise<{ model: Model; run: Run }> {
  await stage.replicas.allRun()
  const messageIds = Array.from({ length: messagesARun }, (_, index) => number * messagesARun + index)
  await putRoom(stage.db, number, { memberIds: [user], moderatorIds: [] })
  for (const id of messageIds) await putMessage(stage.db, id, { roomId: number, authorId: user })
  return { model: new Model(number, messageIds), run: new Run(stage) }
}
