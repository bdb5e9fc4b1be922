import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { revokeSession, revokeToken } from '#auth/credentials.ts'
import { deleteMember } from '#rooms/rooms.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { beginForm, beginPut } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'
import { storeIsEmpty } from './bad-input/remains.ts'

const bytes = Buffer.from('content')

/** An upload that has begun and waits for its last bytes. */
interface UnderWay {
  /** Sends the rest. @returns the status */
  finish(): Promise<{ status: number; body: string }>
}

interface Way {
  name: string
  begin(server: TestServer, headers: Record<string, string>): Promise<UnderWay>
  headersOf(server: TestServer): Promise<Record<string, string>>
  unauthenticated: RegExp
  gone: RegExp
}

const cookieErrors = { unauthenticated: /Wrong Bearer/, gone: /"errorText":"Message not found"/ }

const form = (path: string, field: string) => async (server: TestServer, headers: Record<string, string>) => {
  const fields = field === 'file' ? { message_id: '1' } : {}
  const upload = beginForm(server.url, path, field, headers, { fields })
  await upload.send(bytes)
  return { finish: () => upload.finish() as Promise<{ status: number; body: string }> }
}

async function put(server: TestServer, headers: Record<string, string>): Promise<UnderWay> {
  const reserved = await fetch(`${server.url}/api/v1/attachments`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ messageId: 1, fileName: 'a.txt', fileSize: bytes.length }),
  })
  const { attachmentId } = (await reserved.json()) as { attachmentId: number }
  const upload = beginPut(server.url, `/api/v1/attachments/${attachmentId}/a.txt`, bytes.length, headers)
  await upload.send(bytes.subarray(0, 3))
  return {
    async finish() {
      await upload.send(bytes.subarray(3))
      return (await upload.answer) as { status: number; body: string }
    },
  }
}

const ways: Way[] = [
  {
    name: 'a form with a cookie',
    begin: form('/api/v1/messages/1/attachments', 'files'),
    headersOf: (server) => server.cookie(2),
    ...cookieErrors,
  },
  { name: 'a PUT with a cookie', begin: put, headersOf: (server) => server.cookie(2), ...cookieErrors },
  {
    name: 'a form with a token',
    begin: form('/v1/attachments', 'file'),
    headersOf: (server) => server.bearer(2),
    unauthenticated: /"type":"authentication_error"/,
    gone: /"type":"not_found_error"/,
  },
]

const endings: {
  name: string
  status: number
  reason: RegExp
  end(server: TestServer, headers: Headers): Promise<unknown>
}[] = [
  {
    name: 'the credential is revoked',
    status: 401,
    reason: /^The credential of the uploader ended/,
    end: ({ db }, { cookie, authorization }) =>
      cookie
        ? revokeSession(db, { session: cookie.split('=')[1] as string })
        : revokeToken(db, { token: tokenOf(authorization) }),
  },
  {
    name: 'the credential runs out',
    status: 401,
    reason: /^The credential of the uploader ended/,
    end: ({ db }, { cookie, authorization }) => {
      const secret = cookie ? (cookie.split('=')[1] as string) : tokenOf(authorization)
      const hash = createHash('sha256').update(secret).digest('hex')
      return cookie
        ? db.execute(sql`update sessions set expires_at = now() where session_hash = ${hash}`)
        : db.execute(sql`update tokens set expires_at = now() where token_hash = ${hash}`)
    },
  },
  {
    name: 'the uploader is taken out of the room',
    status: 404,
    reason: /^The uploader left the room/,
    end: ({ db }) => deleteMember(db, 1, 2),
  },
]

type Headers = Record<string, string>
const tokenOf = (authorization = '') => authorization.replace('Bearer ', '')

async function failed(t: Test, server: TestServer, reason: RegExp): Promise<void> {
  const rows = await server.db.execute<{ state: string; failure_reason: string }>(sql`
    select state, failure_reason from attachments order by id desc limit 1`)
  t.match(rows[0], { state: /Failed$/, failure_reason: reason })
  await storeIsEmpty(t, server)
}

for (const way of ways) {
  for (const { name, status, reason, end } of endings) {
    t.test(`${way.name}: ${name} while it arrives`, { skip: skipWithoutS3 }, async (t) => {
      const server = await startTestServer(t, { store: 's3' })
      const headers = await way.headersOf(server)
      const upload = await way.begin(server, headers)
      await until('it has begun', async () =>
        Object.keys(await server.states()).some((state) => /Upload.*Progress/.test(state)),
      )
      await end(server, headers)
      const answer = await upload.finish()
      t.equal(answer.status, status)
      t.match(String(answer.body), status === 401 ? way.unauthenticated : way.gone)
      await failed(t, server, reason)
    })
  }
}

t.test('what a store does not confirm is decided when it leaves verification', async (t) => {
  const server = await startTestServer(t, {
    store: 'disk',
    wrapStore: unconfirmed,
  })
  const headers = await server.cookie(2)
  const upload = await form('/api/v1/messages/1/attachments', 'files')(server, headers)
  await until('it has begun', async () =>
    Object.keys(await server.states()).some((state) => /Upload.*Progress/.test(state)),
  )
  await deleteMember(server.db, 1, 2)
  t.equal((await upload.finish()).status, 404)
  await failed(t, server, /^The uploader left the room/)
})

type Store = TestServer['store']

/** A store that takes the bytes and does not say what it took. */
function unconfirmed(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name === 'put')
        return async (...args: Parameters<Store['put']>) => ({ ...(await target.put(...args)), isConfirmed: false })
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

t.test('a session goes with the token it came from', { skip: skipWithoutS3 }, async (t) => {
  const server = await startTestServer(t, { store: 's3' })
  const { authorization = '' } = await server.bearer(2)
  const minted = await fetch(`${server.url}/api/v1/session`, { method: 'POST', headers: { authorization } })
  const cookie = String(minted.headers.get('set-cookie')).split(';')[0] as string
  const upload = await form('/api/v1/messages/1/attachments', 'files')(server, { cookie })
  await until('it has begun', async () =>
    Object.keys(await server.states()).some((state) => /Upload.*Progress/.test(state)),
  )
  await revokeToken(server.db, { token: tokenOf(authorization) })
  t.equal((await upload.finish()).status, 401)
  await failed(t, server, /^The credential of the uploader ended/)
})
