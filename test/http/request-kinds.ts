import { sql } from 'drizzle-orm'
import type { Test } from 'tap'
import { attach, formWith, postForm } from '../kit/bearer-api.ts'
import { Session } from '../kit/cookie-api.ts'
import { type Headers, send } from '../kit/http-client.ts'
import type { Replica } from '../kit/replica.ts'
import type { TestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

/** Seconds in which requests work again once the database does. */
export const recovery = 5

/** A request, to a replica of the server. */
export type Ask = (replica: Replica) => Promise<Response>

/** One request of each kind. Each may be made again and again. */
export async function everyKind(server: TestServer): Promise<Record<string, Ask>> {
  const bearer = await server.bearer(2, ['read', 'write', 'admin'])
  const cookie = await server.cookie(2)
  const { id, file_url } = await attach(server, bearer)
  const [row] = await server.db.execute(sql`select id from attachments where public_id = ${id}`)
  const number = row?.id
  const asking =
    (method: string, path: string, headers: Headers, json?: unknown): Ask =>
    (replica) =>
      send({ ...server, url: replica.url }, method, path, headers, json)
  return {
    'bearer: list': asking('GET', '/v1/attachments', bearer),
    'bearer: metadata': asking('GET', `/v1/attachments/${id}`, bearer),
    'bearer: upload': (replica) => postForm({ ...server, url: replica.url }, bearer, formWith(new File(['x'], 'x'))),
    'bearer: change': asking('PUT', `/v1/attachments/${id}`, bearer, { filename: 'hello.txt' }),
    'bearer: delete': asking('DELETE', '/v1/attachments/abcdefghijklmnop', bearer),
    'admin: room': asking('PUT', '/v1/rooms/1', bearer, { memberIds: [1, 2, 3], moderatorIds: [1] }),
    'admin: user': asking('PUT', '/v1/users/2', bearer),
    'admin: message': asking('PUT', '/v1/messages/1', bearer, { roomId: 1, authorId: 1 }),
    'admin: token': asking('POST', '/v1/tokens', bearer, { userId: 2 }),
    'admin: session': asking('POST', '/v1/sessions', bearer, { userId: 2 }),
    'signed link': ({ url }) => fetch(url + file_url.slice(file_url.indexOf('/files/'))),
    'cookie: list': asking('GET', '/api/v1/messages/1/attachments', cookie),
    'cookie: metadata': asking('GET', `/api/v1/attachments/${number}`, cookie),
    'cookie: download': asking('GET', `/api/v1/attachments/${number}/hello.txt`, cookie),
    'cookie: upload': ({ url }) => new Session(url, cookie).post([new File(['x'], 'x.txt')]),
    'cookie: reserve': asking('POST', '/api/v1/attachments', cookie, {
      ...{ messageId: 1, fileName: 'z', contentType: 'text/plain', fileSize: 1 },
    }),
    'cookie: delete': asking('DELETE', '/api/v1/attachments/999999', cookie),
    'cookie: session': asking('POST', '/api/v1/session', bearer),
  }
}

/** Makes the request of one kind. */
export function ask(kinds: Record<string, Ask>, kind: string, replica: Replica): Promise<Response> {
  return (kinds[kind] as Ask)(replica)
}

/** A 503 in the shape of its surface, that says when to come again. */
export async function isUnavailable(response: Response): Promise<boolean> {
  const text = await response.text()
  const saysWhen = /^\d+$/.test(response.headers.get('retry-after') ?? '')
  return response.status === 503 && saysWhen && text.includes('The database does not answer. Try again in a moment.')
}

/** Each kind is refused. @returns the longest wait, in milliseconds */
export async function allUnavailable(t: Test, kinds: Record<string, Ask>, replica: Replica): Promise<number> {
  const startedAt = performance.now()
  const asking = Object.entries(kinds).map(async ([what, ask]) => {
    const response = await ask(replica)
    if (!(await isUnavailable(response.clone()))) t.fail(`${what}: ${response.status} ${await response.text()}`)
  })
  await Promise.all(asking)
  return performance.now() - startedAt
}

/** Each kind works, soon after the database does. */
export async function allWorkAgain(t: Test, kinds: Record<string, Ask>, replica: Replica): Promise<void> {
  const works = async () => (await ask(kinds, 'bearer: list', replica)).status === 200
  await until('it works again', works, recovery)
  for (const [what, ask] of Object.entries(kinds)) {
    const response = await ask(replica)
    await response.body?.cancel()
    t.ok(response.status < 500, `${what}: ${response.status}`)
  }
}
