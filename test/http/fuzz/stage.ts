import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import type { Test } from 'tap'
import { Session, textFile } from '../../kit/cookie-api.ts'
import { readJson } from '../../kit/http-client.ts'
import type { RawBody } from '../../kit/multipart.ts'
import { type RawAnswer, sendRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { until } from '../../kit/until.ts'
import { storeIsEmpty } from '../bad-input/remains.ts'

/** Of every run: `FUZZ_SEED`, `FUZZ_RUNS` (requests of each kind) and `FUZZ_SECONDS` (for each kind) ask for another one. */
export const seed = Number(process.env.FUZZ_SEED ?? 20_251_128)
const seconds = Number(process.env.FUZZ_SECONDS ?? 8)
const runs = Number(process.env.FUZZ_RUNS ?? (process.env.FUZZ_SECONDS ? 1e9 : 300))

/** Milliseconds in which every request is answered. */
const latest = 500
const mebibyte = 2 ** 20

/** Something that may come over a socket. */
export interface Request extends RawBody {
  method: string
  path: string
}

/** A server and those who attack it. */
export interface Stage {
  server: TestServer
  /** What a request may say of who sends it, in headers; nobody's among them. */
  credentials: Record<'cookie' | 'bearer' | 'admin', Record<string, string>>
  /** Attachments of the attacker: one that is Ready, one that awaits its bytes. */
  ready: { id: number; publicId: string }
  reserved: number
}

export async function openStage(t: Test): Promise<Stage> {
  const unlimited = { REQUESTS_PER_MINUTE: '0', REQUESTS_PER_MINUTE_PER_ADDRESS: '0', RESERVATIONS_PER_USER: '100000' }
  const env = { ...unlimited, SESSIONS_PER_USER: '100000', MAX_CONCURRENT_UPLOADS: '4' }
  const server = await startTestServer(t, { store: 'disk', env })
  const session = await Session.of(server, 2)
  const bearer = await server.bearer(2)
  const [id = 0] = await session.upload(textFile())
  const [row] = await server.db.execute<{ publicId: string }>(sql`
    select public_id as "publicId" from attachments where id = ${id}`)
  const reserved = await session.reserve({ fileSize: 7 })
  const credentials = { cookie: session.headers, bearer, admin: await server.bearer(50, ['read', 'write', 'admin']) }
  return { server, credentials, ready: { id, publicId: row?.publicId ?? '' }, reserved }
}

/** Sends as many requests as were asked for; each is answered in time, and none with a fault of ours. */
export async function attack(t: Test, { server }: Stage, requests: fc.Arbitrary<Request>): Promise<void> {
  let taken = 0
  const isAnswered = async (request: Request) => {
    const begin = performance.now()
    const answer = await sendRaw(server.url, request.method, request.path, request)
    const took = performance.now() - begin
    requireFaultless(answer)
    if (answer.status < 300) taken += 1
    return took
  }
  const property = fc.asyncProperty(requests, async (request) => {
    // What is late because the machine is busy is not late again.
    if ((await isAnswered(request)) > latest && (await isAnswered(request)) > latest)
      throw new Error(`It took longer than ${latest} ms`)
  })
  const limits = { seed, numRuns: runs, interruptAfterTimeLimit: seconds * 1000, endOnFailure: true }
  const found = await fc.check(property, limits)
  const report = `${found.errorInstance}: ${fc.defaultReportMessage(found)?.slice(0, 3000)}`
  t.notOk(found.failed, found.failed ? report : 'no fault was found')
  t.ok(taken > found.numRuns / 50, `${taken} of them got through to what they asked for`)
  t.ok(found.numRuns > 20, `${found.numRuns} requests with the seed ${seed}`)
}

function requireFaultless({ status, headers, body }: RawAnswer): void {
  if (!(status >= 200 && status < 500)) throw new Error(`Answered ${status} ${body.slice(0, 300)}`)
  // Node's own answer to an expectation that it does not know.
  if (status === 417) return
  const type = headers['content-type'] ?? ''
  if (status >= 400 && body !== '' && !/^(application\/json; charset=utf-8|text\/plain)$/.test(type))
    throw new Error(`Answered ${status} as ${type}: ${body.slice(0, 300)}`)
}

/** Bytes of the heap that are in use. */
export function heapInUse(): number {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

/** Asserts that nothing is under way any more, and that with the rooms everything goes: rows in the open, bytes, slots. */
export async function nothingIsLeft(t: Test, { server, credentials, ready }: Stage, heapBefore: number): Promise<void> {
  await server.app.uploadsEnded?.()
  const owner = await fetch(`${server.url}/api/v1/attachments/${ready.id}`, { headers: credentials.cookie })
  t.match(await readJson(owner), { attachmentState: 'ReadyForDownloadFromServerToClient', fileSize: 7 })
  await until('no lease is left', async () => {
    const leased = await server.db.execute(sql`
      select from attachments where lease_expires_at is not null and deleted_at is null`)
    return leased.length === 0
  })
  const rooms = await server.db.execute<{ id: string }>(sql`select id from rooms where deleted_at is null`)
  for (const { id } of rooms) await deleteAt(server, `/v1/rooms/${id}`, credentials.admin)
  for (const user of [2, 50]) await deleteAt(server, `/v1/users/${user}`, await server.bearer(60, ['admin']))
  await until('everything is deleted', async () => Object.keys(await server.states()).length === 0)
  await storeIsEmpty(t, server)
  const grown = (heapInUse() - heapBefore) / mebibyte
  t.ok(grown < 24, `the heap has grown by ${grown.toFixed(1)} MiB`)
}

async function deleteAt({ url }: TestServer, path: string, headers: Record<string, string>): Promise<void> {
  await fetch(url + path, { method: 'DELETE', headers })
}
