import t from 'tap'
import { limits } from '#domain/limits.ts'
import { sendRaw } from '../../kit/raw-http.ts'
import { startTestServer } from '../../kit/server.ts'
import { bearerApi } from '../../kit/surfaces.ts'
import { newestId, storeIsEmpty } from './remains.ts'
import { bearerRoutes, cookieRoutes } from './routes.ts'

/** As they stand in an address. */
const integers = [
  '0',
  '-1',
  '-0',
  '1.0',
  '1.5',
  '1e0',
  '0x1',
  '01',
  '+1',
  '%201',
  '1%20',
  '1%00',
  '%EF%BC%91',
  '9007199254740992',
  '9223372036854775807',
  '9223372036854775808',
  '99999999999999999999',
  '9'.repeat(400),
  'NaN',
  'null',
  'undefined',
  'abc',
  '1;drop',
  '%27%20or%201=1',
  '%2e%2e%2f1',
  'a'.repeat(3000),
]

const strings = [
  'A',
  'AAAAAAAAAAAAAAA',
  'AAAAAAAAAAAAAAAAA',
  'AAAAAAAAAAAAAAA-',
  'AAAAAAAAAAAAAAA%00',
  '%E6%97%A5AAAAAAAAAAAAAAA',
  'a'.repeat(3000),
]

const target = (id: string) => ({ attachment: id, message: id, conversation: id, fileName: 'a.txt' })

t.test('an id that cannot be one is answered as one that names nothing', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const [routes, ids] of [
    [cookieRoutes, [...integers, ...strings]],
    [bearerRoutes, [...strings, ...integers]],
  ] as const) {
    for (const route of routes) {
      const { surface, method } = route
      const credentials = await surface.credentials(server, 1)
      const answerTo = (id: string) => {
        const { headers, body } = route.form(target(id))
        return sendRaw(server.url, method, route.path(target(id)), { headers: { ...headers, ...credentials }, body })
      }
      const expected = await answerTo(surface.name === 'cookie API' ? '999999' : 'AAAAAAAAAAAAAAAA')
      if (method === 'HEAD') t.equal(expected.status, 404)
      else surface.isError(t, expected, 404, route.what)
      for (const id of ids) {
        const answer = await answerTo(id)
        // A field of a form is refused before anybody looks into it.
        const isLongField = method === 'POST' && surface === bearerApi && id.length > limits.formField
        if (isLongField) surface.isError(t, answer, 413, /longer than 1024 bytes/)
        if (isLongField) continue
        t.equal(answer.status, 404, `${method} ${route.path(target(id.slice(0, 30)))}`)
        if (id.length < 1000) t.equal(answer.body, expected.body)
        else if (method !== 'HEAD') surface.isError(t, answer, 404, /not found|nothing at this address/)
      }
    }
  }
  t.equal(await newestId(server), 0, 'no row')
  await storeIsEmpty(t, server)
})
