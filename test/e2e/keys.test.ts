import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { bearerForm, declaredForm, form, type Place, putBytes, rawPut, reserve } from '../kit/ways-to-upload.ts'
import { type Exchange, errorBody, openFaultProxy } from '../store/fault-proxy.ts'

const creating = ['PutObject', 'CreateMultipartUpload']
const fileName = 'geheim.bin'
const sizes = [1, 100_000, 300_000, 11 * 2 ** 20]

/** A key that the store was told, and what the database knew of it before the store did. */
interface Told {
  key: string
  attachmentId: number | undefined
  attempt: number | undefined
}

/** A server whose every request to the store is held back until the database has been asked for its key. */
async function startWatched(t: Test) {
  const proxy = await openFaultProxy(t, process.env.S3_ENDPOINT ?? '')
  const server = await startTestServer(t, { store: 's3', env: { S3_ENDPOINT: proxy.endpoint } })
  const told: Told[] = []
  let failing = false
  proxy.fault = async (exchange) => {
    if (!creating.includes(exchange.operation)) return exchange.pass()
    told.push(await known(server, keyOf(exchange)))
    return failing ? exchange.answer(503, errorBody('SlowDown')) : exchange.pass()
  }
  const fail = (yes: boolean) => {
    failing = yes
  }
  const place: Place = { url: server.url, ...(await server.cookie(1)), ...(await server.bearer(1)) }
  return { server, place, told, fail }
}

function keyOf({ request }: Exchange): string {
  return new URL(request.url ?? '', 'http://store').pathname.split('/').slice(2).join('/')
}

async function known({ db }: TestServer, key: string): Promise<Told> {
  const [row] = await db.execute<{ id: string; attempt: number }>(sql`
    select attachment_id as id, attempt from objects where key = ${key}`)
  return { key, attachmentId: row && Number(row.id), attempt: row?.attempt }
}

function inOrder(keys: readonly string[]): string[] {
  return [...new Set(keys)].sort()
}

t.test(
  'the store is told of a key when its row is committed, and of no key for two attempts',
  {
    skip: skipWithoutS3,
  },
  async (t) => {
    const { server, place, told, fail } = await startWatched(t)
    for (const way of [form, declaredForm, bearerForm, rawPut])
      for (const size of sizes) {
        const upload = await way.begin(place, { fileName, size })
        await upload.send(randomBytes(size))
        t.equal((await upload.finish()).status, way.success, `${way.name}, ${size} bytes`)
      }
    t.equal(inOrder(told.map(({ key }) => key)).length, 4 * sizes.length, 'a key for each')

    const again = { fileName, size: 300_000 }
    const id = await reserve(place, again)
    for (const [attempt, status] of [503, 503, 200].entries()) {
      fail(status === 503)
      const put = putBytes(place, id, again)
      await put.send(randomBytes(again.size))
      t.equal((await put.finish()).status, status, `attempt ${attempt + 1}`)
    }
    const keysOfAttempts = [1, 2, 3].map((attempt) =>
      inOrder(told.filter((one) => one.attachmentId === id && one.attempt === attempt).map(({ key }) => key)),
    )
    for (const keys of keysOfAttempts) t.equal(keys.length, 1, 'one key for each attempt, however often it is tried')
    t.equal(inOrder(keysOfAttempts.flat()).length, 3)

    t.same(
      told.filter(({ attachmentId }) => attachmentId === undefined),
      [],
      'the database knew each of them before',
    )
    for (const { key } of told) t.match(key, /^([\da-f]{2})\/\1[\da-f]{38}$/, 'a key tells nothing of its file')
    const rows = await server.db.execute(sql`select key from objects`)
    t.equal(rows.length, inOrder(told.map(({ key }) => key)).length)
  },
)
