import { sql } from 'drizzle-orm'
import t from 'tap'
import { deleteMember } from '#rooms/rooms.ts'
import { filePart, formOf } from '../../kit/multipart.ts'
import { postRaw, type RawAnswer, sendRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { cookieApi, type Surface } from '../../kit/surfaces.ts'
import { newestId } from './remains.ts'
import { bearerRoutes, cookieRoutes, type Route, reserveRoute, type Target } from './routes.ts'

const fileName = 'a.txt'

/** Room 1 with a file by user 1 in it. */
async function startWithFile(t: Parameters<typeof startTestServer>[0]): Promise<{ server: TestServer; id: number }> {
  const server = await startTestServer(t, { store: 'disk' })
  const { headers, body } = formOf(filePart(cookieApi, 'content', fileName))
  const { status } = await postRaw(server.url, cookieApi.path, {
    headers: { ...headers, ...(await server.cookie(1)) },
    body,
  })
  t.equal(status, 200)
  return { server, id: await newestId(server) }
}

async function idsOf({ db }: TestServer, surface: Surface, id: number): Promise<Target[]> {
  const [row] = await db.execute<Record<'attachment' | 'message' | 'conversation', string>>(sql`
    select a.public_id as attachment, m.public_id as message, r.public_id as conversation
    from attachments a join messages m on m.id = a.message_id join rooms r on r.id = a.room_id where a.id = ${id}`)
  const integers = { attachment: String(id), message: '1', conversation: '1', fileName }
  if (surface === cookieApi) return [integers]
  const strings = { ...integers, ...row }
  return [strings, { ...integers, attachment: strings.attachment }]
}

const nowhere: Target[] = [
  { attachment: '999999', message: '999999', conversation: '999999', fileName },
  { attachment: 'AAAAAAAAAAAAAAAA', message: 'AAAAAAAAAAAAAAAA', conversation: 'AAAAAAAAAAAAAAAA', fileName },
]

/** A body that names a message by a number cannot name it by letters. */
function nowhereFor(route: Route): Target[] {
  return route === reserveRoute ? nowhere.slice(0, 1) : nowhere
}

/** All of an answer but when it was given. */
function comparable({ status, headers, body }: RawAnswer) {
  const { date: _, ...rest } = headers
  return { status, headers: rest, body }
}

for (const [who, userId] of [
  ['a member of another room', 9],
  ['somebody in no room', 77],
  ['somebody who has left the room', 2],
] as const) {
  t.test(`${who} cannot tell what is there from what is not, on any route`, async (t) => {
    const { server, id } = await startWithFile(t)
    if (userId === 2) await deleteMember(server.db, 1, 2)
    for (const route of [...cookieRoutes, reserveRoute, ...bearerRoutes]) {
      const credentials = await route.surface.credentials(server, userId)
      const ask = async (target: Target) => {
        const { headers, body } = route.form(target)
        const all = { ...headers, ...credentials }
        return comparable(await sendRaw(server.url, route.method, route.path(target), { headers: all, body }))
      }
      const there = await Promise.all((await idsOf(server, route.surface, id)).map(ask))
      const notThere = await Promise.all(nowhereFor(route).map(ask))
      const [first, ...others] = [...there, ...notThere]
      t.equal(first?.status, 404, `${route.method} ${route.path(nowhere[0] as Target)}`)
      for (const answer of others) t.strictSame(answer, first)
    }
    t.strictSame(await server.states(), { ReadyForDownloadFromServerToClient: 1 }, 'the file is as it was')
    t.equal(await newestId(server), id, 'and no other was added')
  })
}

t.test('the same requests by a member succeed, so it is not the requests', async (t) => {
  const { server, id } = await startWithFile(t)
  for (const route of [...cookieRoutes, reserveRoute, ...bearerRoutes].filter(({ method }) => method !== 'DELETE')) {
    const credentials = await route.surface.credentials(server, 1)
    for (const target of await idsOf(server, route.surface, id)) {
      const { headers, body } = route.form(target)
      const path = route.path(target)
      const { status } = await sendRaw(server.url, route.method, path, {
        headers: { ...headers, ...credentials },
        body,
      })
      if (route.whenReady !== undefined) t.equal(status, route.whenReady, `${route.method} ${path}`)
      else t.ok(status === 200 || status === 201, `${route.method} ${path}`)
    }
  }
})
