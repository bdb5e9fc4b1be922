import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { Test } from 'tap'
import type { AttachmentState } from '#domain/states.ts'
import { listTransitions } from '#persistence/queries.ts'
import type { TestServer } from '../../kit/server.ts'

export const uploading = 'UploadFromClientToServerInProgress'
export const uploadFailed = 'UploadFromClientToServerFailed'
export const verifying = 'ChecksumVerificationOnServerSideInProgress'
export const mismatch = 'ChecksumVerificationOnServerSideMismatch'
export const ready = 'ReadyForDownloadFromServerToClient'

/** The ways from a beginning of an attempt to its end. */
export const toReady: AttachmentState[] = [uploading, verifying, ready]
export const toMismatch: AttachmentState[] = [uploading, verifying, mismatch]

export const hexOf = (algorithm: string, content: string | Uint8Array) =>
  createHash(algorithm).update(content).digest('hex')

/** As RFC 9530 writes it. */
export const digestField = (content: string | Uint8Array) =>
  `sha-256=:${createHash('sha256').update(content).digest('base64')}:`

export interface Row {
  state: AttachmentState
  attempt: number
  fileSize: number | null
  fileChecksum: string | null
  failureReason: string | null
  isLeased: boolean
}

export async function rowOf({ db }: TestServer, id: number): Promise<Row | undefined> {
  const [row] = await db.execute<Record<keyof Row, unknown>>(sql`
    select state, attempt, file_size::float as "fileSize", file_checksum as "fileChecksum",
      failure_reason as "failureReason", lease_expires_at is not null as "isLeased" from attachments where id = ${id}`)
  return row as Row | undefined
}

/** The attempts whose keys the database still knows, and whether each is to be purged. */
export async function objectsOf({ db }: TestServer, id: number): Promise<[attempt: number, isToGo: boolean][]> {
  const rows = await db.execute<{ attempt: number; gone: boolean }>(sql`
    select attempt, purge_at is not null as gone from objects where attachment_id = ${id} order by attempt`)
  return rows.map(({ attempt, gone }) => [attempt, gone])
}

/** Asserts that nothing has happened to a reservation since it was made, and that the store was never told of it. */
export async function isUntouched(t: Test, server: TestServer, id: number): Promise<void> {
  const nothing = { fileSize: null, fileChecksum: null, failureReason: null, isLeased: false }
  t.strictSame({ ...(await rowOf(server, id)) }, { state: 'Initial', attempt: 0, ...nothing })
  t.strictSame(await objectsOf(server, id), [], 'no object row')
  await hasHistory(t, server, id, [['Initial']])
}

/** Asserts which states an attachment has passed through, grouped by attempt. */
export async function hasHistory(
  t: Test,
  server: TestServer,
  id: number,
  attempts: AttachmentState[][],
): Promise<void> {
  const history = await listTransitions(server.db, id)
  const expected = attempts.flatMap((states, attempt) => states.map((to) => ({ attempt, to })))
  t.strictSame(
    history.map(({ attempt, from, to }) => ({ attempt, from, to })),
    expected.map(({ attempt, to }, index) => ({ attempt, from: expected[index - 1]?.to ?? null, to })),
    'history',
  )
}
