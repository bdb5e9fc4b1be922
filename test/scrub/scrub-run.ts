import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { sql } from 'drizzle-orm'
import fastify from 'fastify'
import type { Test } from 'tap'
import { s3Options } from '#commands/open-resources.ts'
import { loggerOptions } from '#http/logging.ts'
import type { Database } from '#persistence/connection/client.ts'
import { scrub } from '#scrub/scrub.ts'
import type { ScrubOptions } from '#scrub/scrub-context.ts'
import { exitCodeOf, summaryOf } from '#scrub/summary.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { openS3Client } from '../kit/bucket.ts'
import { Session } from '../kit/cookie-api.ts'
import type { TestServer } from '../kit/server.ts'

export interface ScrubRun extends Partial<ScrubOptions> {
  store?: ObjectStore
  db?: Database
  signal?: AbortSignal
}

/** Scrubs what a server has stored, as fast as it goes. @returns also what was logged at warn and above */
export async function runScrub(server: TestServer, { store, db, signal, ...options }: ScrubRun = {}) {
  const lines: Record<string, unknown>[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const { log } = fastify({ logger: { ...(loggerOptions('warn') as object), stream } })
  const result = await scrub(
    { db: db ?? server.db, store: store ?? server.store, log, config: server.config },
    { rate: Number.POSITIVE_INFINITY, pauses: [1, 1], ...options },
    signal ?? new AbortController().signal,
  )
  const { counts } = result.findings
  return { result, counts, lines, exitCode: exitCodeOf(result), summary: summaryOf(result) }
}

/** Counts, all zero but for these. */
export function only(counts: Partial<Record<'whole' | 'damaged' | 'missing' | 'orphaned', number>>) {
  return { whole: 0, damaged: 0, missing: 0, orphaned: 0, ...counts }
}

/** A Ready attachment, and where its bytes lie. */
export interface Uploaded {
  id: number
  key: string
}

/** Uploads a file as user 1. */
export async function upload(server: TestServer, bytes: Buffer | string, name = 'secret name.bin'): Promise<Uploaded> {
  const session = await Session.of(server, 1)
  const [id = 0] = await session.upload(new File([new Uint8Array(Buffer.from(bytes))], name))
  const [row] = await server.db.execute<{ key: string }>(sql`select key from objects where attachment_id = ${id}`)
  return { id, key: String(row?.key) }
}

export async function remove(server: TestServer, id: number): Promise<void> {
  const session = await Session.of(server, 1)
  const response = await session.ask('DELETE', `/attachments/${id}`)
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
}

/** What the database keeps of a scrubbed object. */
export async function noted({ db }: TestServer, { key }: Uploaded) {
  const [row] = await db.execute<{ damage: string | null; read: boolean }>(sql`
    select damage, coalesce(scrubbed_at > now() - interval '1 minute', false) as read from objects where key = ${key}`)
  return { ...row }
}

/** The runs that were written down, oldest first. */
export async function scrubsOf({ db }: TestServer) {
  const rows = await db.execute(sql`
    select whole::integer, damaged::integer, missing::integer, orphaned::integer from scrubs order by id`)
  return rows.map((row) => ({ ...row }))
}

/** Changes what a store holds behind its back. */
export interface Tampering {
  /** Puts bytes under a key, in place of what may be there. */
  write(key: string, bytes: Buffer | string): Promise<void>
  /** Leaves an unfinished upload. */
  beginUpload(key: string): Promise<void>
}

export function tamperWith(t: Test, { config }: TestServer): Tampering {
  const options = s3Options(config)
  return options === undefined ? tamperWithFolder(config.dataDir) : tamperWithBucket(t, options)
}

function tamperWithFolder(folder: string): Tampering {
  const pathOf = (key: string) => {
    const name = key.slice(key.lastIndexOf('/') + 1)
    return join(folder, 'objects', name.slice(0, 2), key.replaceAll('/', '-'))
  }
  return {
    write: (key, bytes) => write(pathOf(key), bytes),
    beginUpload: (key) => write(`${pathOf(key)}.partial`, 'part'),
  }
}

async function write(path: string, bytes: Buffer | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
}

function tamperWithBucket(
  t: Test,
  { bucket: Bucket, ...options }: NonNullable<ReturnType<typeof s3Options>>,
): Tampering {
  const { endpoint = '', region, accessKeyId = '', secretAccessKey = '' } = options
  const client = openS3Client({ endpoint, region, accessKeyId, secretAccessKey })
  t.teardown(() => client.destroy())
  return {
    async write(Key, bytes) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: bytes }))
    },
    async beginUpload(Key) {
      await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    },
  }
}
