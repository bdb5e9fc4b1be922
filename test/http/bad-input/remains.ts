import { sql } from 'drizzle-orm'
import type { Test } from 'tap'
import { filePart, formOf } from '../../kit/multipart.ts'
import { postRaw, type RawAnswer, sendRaw } from '../../kit/raw-http.ts'
import type { TestServer } from '../../kit/server.ts'
import type { Surface } from '../../kit/surfaces.ts'
import { until } from '../../kit/until.ts'

/** A row that a refused upload leaves: it had begun to arrive. */
export interface FailedRow {
  state: string
  failureReason: RegExp
}

export const uploadFailed = 'UploadFromClientToServerFailed'

/** The id of the newest attachment, deleted or not; 0 when there is none. */
export async function newestId({ db }: TestServer): Promise<number> {
  const [row] = await db.execute<{ id: string }>(sql`select coalesce(max(id), 0) as id from attachments`)
  return Number(row?.id)
}

/**
 * Asserts what a refused upload left behind: of its rows, since `id`, just these, each in its failed state with its
 * reason, and no byte anywhere. Nothing else may have been stored on this server.
 */
export async function leftOnly(t: Test, server: TestServer, id: number, expected: FailedRow[]): Promise<void> {
  await until('nobody is writing any more', async () => (await leasedSince(server, id)) === 0)
  const rows = await server.db.execute<{ state: string; failure_reason: string | null }>(sql`
    select state, failure_reason from attachments where id > ${id} and deleted_at is null order by id`)
  t.strictSame(
    rows.map(({ state }) => state),
    expected.map(({ state }) => state),
    'states of the rows that are left',
  )
  for (const [index, { failureReason }] of expected.entries()) t.match(rows[index]?.failure_reason, failureReason)
  await storeIsEmpty(t, server)
}

/** Asserts that the store comes to hold no object and no unfinished upload; what lands late takes the purge a lease. */
export async function storeIsEmpty(t: Test, server: TestServer): Promise<void> {
  await until('the purge has come round', async () => (await server.unpurged()) === 0)
  const isEmpty = ({ objects, uploads }: Remains) => objects.length + uploads.length === 0
  // When it does not, the assertion tells what is left.
  await until('the store is empty', async () => isEmpty(await server.remains())).catch(() => {})
  t.strictSame(await server.remains(), { objects: [], uploads: [] }, 'the store is empty')
}

type Remains = Awaited<ReturnType<TestServer['remains']>>

/** Asserts that an ordinary upload goes through, and takes it away again. */
export async function takesUploads(t: Test, server: TestServer, surface: Surface): Promise<void> {
  const id = await newestId(server)
  const { status } = await ordinaryUpload(server, surface)
  t.equal(status, surface.created, 'an ordinary upload goes through')
  const owner = { headers: await server.cookie(1), body: Buffer.alloc(0) }
  const gone = await sendRaw(server.url, 'DELETE', `/api/v1/attachments/${await newestId(server)}`, owner)
  t.equal(gone.status, 200)
  await leftOnly(t, server, id, [])
}

export async function ordinaryUpload(server: TestServer, surface: Surface): Promise<RawAnswer> {
  const { headers, body } = formOf(filePart(surface))
  const credentials = await surface.credentials(server, 1)
  return postRaw(server.url, surface.path, { headers: { ...headers, ...credentials }, body })
}

async function leasedSince({ db }: TestServer, id: number): Promise<number> {
  const rows = await db.execute(sql`
    select from attachments where id > ${id} and lease_expires_at is not null and deleted_at is null`)
  return rows.length
}
