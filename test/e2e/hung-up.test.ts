import { createHash, randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { SeededRandom } from '../kit/seeded-random.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { connectionsOf } from '../kit/server-resources.ts'
import { watchStoreTraffic } from '../kit/store-traffic.ts'
import { until } from '../kit/until.ts'
import {
  bearerForm,
  declaredForm,
  form,
  type Place,
  rawPut,
  type Upload,
  type WayToUpload,
} from '../kit/ways-to-upload.ts'

const mebibyte = 2 ** 20
const hungUp = 20
/** So many of them at once, and a good upload beside them. */
const atOnce = 5
const slots = atOnce + 1
const bytes = randomBytes(24 * mebibyte)
const piece = 256 * 1024

/** For a failure to be repeated: HUNG_UP_SEED in the environment. */
const seed = Number(process.env.HUNG_UP_SEED ?? randomBytes(4).readUInt32LE())

const inProgress = 'UploadFromClientToServerInProgress'
const failed = 'UploadFromClientToServerFailed'
const ready = 'ReadyForDownloadFromServerToClient'

interface Row {
  id: string
  state: string
  reason: string | null
}

/** An upload that is to be hung up, and when. */
interface HangUp {
  fileName: string
  size: number
  /** Bytes of the file that are sent. */
  sent: number
  /** Whether it is not hung up before its file has begun to arrive. */
  waits: boolean
  resets: boolean
}

async function rowOf({ db }: TestServer, fileName: string): Promise<Row | undefined> {
  const [row] = await db.execute<Row & Record<string, unknown>>(sql`
    select id, state, failure_reason as reason from attachments where file_name = ${fileName}`)
  return row
}

async function countOf({ db }: TestServer, state: string): Promise<number> {
  const rows = await db.execute(sql`select from attachments where state = ${state} and deleted_at is null`)
  return rows.length
}

async function sendFirst({ socket, send }: Upload, count: number): Promise<void> {
  for (let at = 0; at < count && !socket.destroyed; at += piece)
    await send(bytes.subarray(at, Math.min(at + piece, count)))
}

async function hangUp(server: TestServer, place: Place, way: WayToUpload, plan: HangUp): Promise<void> {
  const upload = await way.begin(place, plan)
  const { socket } = upload
  await sendFirst(upload, plan.sent)
  if (plan.waits)
    await until('the file began to arrive', async () => (await rowOf(server, plan.fileName))?.state === inProgress)
  plan.resets ? socket.resetAndDestroy() : socket.destroy()
}

async function uploadWhole(t: Test, place: Place, way: WayToUpload, file: { fileName: string; size: number }) {
  const upload = await way.begin(place, file)
  await sendFirst(upload, file.size)
  t.equal((await upload.finish()).status, way.success, 'a good upload beside them goes through')
}

/** The ends of the range come up for certain, whatever the seed. */
function plansOf(random: SeededRandom): HangUp[] {
  return Array.from({ length: hungUp }, (_, index) => {
    const size = random.between(12 * mebibyte, bytes.length)
    const sent = index === 0 ? 0 : index === 1 ? size - 1 : random.between(0, size - 1)
    const fileName = `hung-up-${index}.bin`
    return { fileName, size, sent, waits: random.between(0, 1) === 1 && index > 1, resets: random.between(0, 1) === 1 }
  })
}

async function hasFailed(t: Test, server: TestServer, { fileName, waits, size, sent, resets }: HangUp): Promise<void> {
  const row = await rowOf(server, fileName)
  // Nothing of it has begun when the server heard of the hang-up first: no row, or a reservation as it was.
  const hasNotBegun = row === undefined || row.state === 'Initial'
  if (hasNotBegun && !waits) return
  const what = `${resets ? 'reset' : 'closed'} after ${sent} of ${size} bytes`
  t.equal(row?.state, failed, what)
  t.match(row?.reason, /connection closed before the last byte/, what)
}

async function isIntact(
  t: Test,
  server: TestServer,
  { url, cookie }: Place,
  { fileName, size }: { fileName: string; size: number },
) {
  const row = await rowOf(server, fileName)
  t.equal(row?.state, ready)
  const response = await fetch(`${url}/api/v1/attachments/${row?.id}/${fileName}`, { headers: { cookie } })
  const digest = createHash('sha256')
  for await (const chunk of response.body ?? []) digest.update(chunk)
  t.equal(digest.digest('hex'), createHash('sha256').update(bytes.subarray(0, size)).digest('hex'), `${size} bytes`)
}

/** As many uploads at once as there are slots: were one of them still taken, one of these would be refused. */
async function allSlotsAreFree(t: Test, server: TestServer, place: Place, way: WayToUpload): Promise<void> {
  const files = Array.from({ length: slots }, (_, index) => ({ fileName: `slot-${index}.bin`, size: piece + 1 }))
  const uploads = await Promise.all(files.map((file) => way.begin(place, file)))
  await Promise.all(uploads.map((upload) => sendFirst(upload, piece)))
  await until('each has a slot', async () => (await countOf(server, inProgress)) === slots)
  await Promise.all(uploads.map(({ send }) => send(bytes.subarray(piece, piece + 1))))
  const answers = await Promise.all(uploads.map((upload) => upload.finish()))
  t.strictSame(
    answers.map(({ status }) => status),
    files.map(() => way.success),
  )
}

for (const way of [form, declaredForm, bearerForm, rawPut]) {
  t.test(`${hungUp} uploads hung up half-way, each ${way.name}`, { skip: skipWithoutS3 }, async (t) => {
    t.comment(`HUNG_UP_SEED=${seed}`)
    const env = { MAX_CONCURRENT_UPLOADS: String(slots), UPLOADS_PER_USER: String(slots), UPLOAD_LEASE_SECONDS: '6' }
    const traffic = watchStoreTraffic(t, process.env.S3_ENDPOINT ?? '')
    const server = await startTestServer(t, { store: 's3', env })
    const place = { url: server.url, ...(await server.cookie(1)), ...(await server.bearer(1)) }
    const random = new SeededRandom(seed)
    const plans = plansOf(random)
    const good: { fileName: string; size: number }[] = []
    for (let index = 0; index < hungUp; index += atOnce) {
      const whole = { fileName: `good-${index}.bin`, size: random.between(12 * mebibyte, bytes.length) }
      good.push(whole)
      const hangUps = plans.slice(index, index + atOnce).map((plan) => hangUp(server, place, way, plan))
      await Promise.all([uploadWhole(t, place, way, whole), ...hangUps])
      await until('nobody is writing any more', async () => (await countOf(server, inProgress)) === 0)
    }

    for (const plan of plans) await hasFailed(t, server, plan)
    t.ok((await countOf(server, failed)) >= plans.filter(({ waits }) => waits).length)
    await allSlotsAreFree(t, server, place, way)
    for (const whole of good) await isIntact(t, server, place, whole)

    await until('the purge has come round', async () => (await server.unpurged()) === 0)
    const kept = good.length + slots
    const isTidy = ({ objects, uploads }: Awaited<ReturnType<TestServer['remains']>>) =>
      objects.length === kept && uploads.length === 0
    // When it does not become so, the assertion tells what is left.
    await until('only the good ones are left', async () => isTidy(await server.remains())).catch(() => {})
    const { objects, uploads } = await server.remains()
    t.equal(objects.length, kept, 'no object but those of the good uploads')
    t.strictSame(uploads, [], 'no unfinished upload')

    server.app.server.closeIdleConnections()
    await until('every client connection is closed', async () => (await connectionsOf(server)) === 0)
    await until('no request to the store is under way', () => traffic.underWay() === 0)
    t.ok(traffic.mostIdle() > 0, 'requests to the store were seen')
    await until('connections to the store are idle ones', () => traffic.connections() <= traffic.mostIdle())
    t.comment(`${traffic.connections()} connections to the store, of at most ${traffic.mostIdle()}`)
  })
}
