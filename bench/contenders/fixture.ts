import { type Bucket, createBucket } from '../backends/bucket.ts'
import { createDatabase } from '../backends/database.ts'
import type { Client } from '../client/client-process.ts'
import { formWith } from '../client/form.ts'
import { type Fixture, type Stage, startOn } from '../stage.ts'
import { runStowage, stowageEnvironment } from './stowage-process.ts'

type Parts = Omit<Stage, 'fixture'>

const user = 1
const room = 1
/** As many as keep the attachments of each few, as in a chat. */
const messageIds = Array.from({ length: 200 }, (_, index) => index + 1)

/** Sets one up as an operator would: a token from the command line, the rest over the admin API. */
export async function makeFixture(stage: Parts, fileSizes: number[]): Promise<Fixture> {
  await using made = new AsyncDisposableStack()
  const database = made.use(await createDatabase(stage.backends))
  const bucket = made.use(await createBucket(stage.backends))
  const env = stowageEnvironment(stage.backends, database, bucket)
  await using server = await startOn(stage, ['src/main.ts', 'serve'], env)
  const token = await runStowage(stage, ['token', 'create', '--user', `${user}`, '--scope', 'read,write,admin'], env)

  const call = (method: string, path: string, body: object) => callAdmin(server.url + path, method, token, body)
  await call('PUT', `/v1/rooms/${room}`, { memberIds: [user] })
  for (const id of messageIds) await call('PUT', `/v1/messages/${id}`, { roomId: room, authorId: user })
  const { cookie } = await call('POST', '/v1/sessions', { userId: user })

  const downloads: Fixture['downloads'] = new Map()
  for (const size of fileSizes) downloads.set(size, await uploadOne(stage.client, server.url, cookie, size, bucket))
  const kept = made.move()
  return {
    database,
    bucket,
    cookie,
    messageIds,
    downloads,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** The message that the file of an index is attached to: the messages take turns. */
export function messageOf({ messageIds }: Pick<Fixture, 'messageIds'>, index: number): number {
  return messageIds[index % messageIds.length] as number
}

/** The path that forms with files of a message are posted to. */
export function uploadPathOf(messageId: number): string {
  return `/api/v1/messages/${messageId}/attachments`
}

async function callAdmin(url: string, method: string, token: string, body: object) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const response = await fetch(url, {
    method,
    headers,
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok) throw new Error(`${method} ${url} was answered with ${response.status}: ${await response.text()}`)
  return (await response.json()) as { cookie: string }
}

async function uploadOne(client: Client, url: string, cookie: string, size: number, bucket: Bucket) {
  const { headers, body } = formWith(size)
  const request = { url, method: 'POST' as const, paths: [uploadPathOf(1)], headers: { ...headers, cookie }, body }
  const { answers } = await client.run({ ...request, concurrency: 1, timeoutSeconds: 120 })
  const [id] = JSON.parse(answers[0] ?? '').attachmentIds
  const [objectKey = ''] = await bucket.keysOf(size)
  return { path: `/api/v1/attachments/${id}/bench.bin`, objectKey }
}
