import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { insertIntent } from '#persistence/attempts.ts'
import type { Attempt } from '#persistence/schema.ts'
import { startTestServer, type TestServer, type TestServerOptions } from './server.ts'

export const uploading = 'UploadFromClientToServerInProgress'
export const verifying = 'ChecksumVerificationOnServerSideInProgress'
export const why = { reason: 'a test', actor: 'user:1' }

/** A server whose workers run when a test wants them to. */
export async function startIdle(t: Parameters<typeof startTestServer>[0], options: Partial<TestServerOptions> = {}) {
  return startTestServer(t, { store: 'disk', withWorkers: false, ...options })
}

/** An attempt whose bytes are arriving. */
export type Begun = Attempt & { objectKey: string }

export async function begin(
  { db }: TestServer,
  requestId: string = randomUUID(),
  checksumAlgorithm = 'sha256',
): Promise<Begun> {
  const file = { fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm }
  const objectKey = `aa/${randomUUID().replaceAll('-', '')}`
  const place = { messageId: 1, uploaderId: 1, objectKey, leaseSeconds: 60, requestId }
  const attachment = await insertIntent(db, { ...place, ...file, ...why })
  return { id: attachment?.id as number, attempt: attachment?.attempt as number, objectKey }
}

/** As if its writer had been silent for longer than the lease. */
export async function expire({ db }: TestServer, { id }: Attempt): Promise<void> {
  await db.execute(sql`update attachments set lease_expires_at = now() - interval '1 second' where id = ${id}`)
}

export async function rowOf({ db }: TestServer, { id }: Attempt) {
  const [row] = await db.execute(sql`
    select state, failure_reason, lease_expires_at from attachments where id = ${id}`)
  return row
}

export async function keysToPurge({ db }: TestServer): Promise<unknown[]> {
  const due = await db.execute(sql`select key from objects where purge_at is not null order by attachment_id`)
  return due.map(({ key }) => key)
}
