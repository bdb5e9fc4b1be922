import { sql } from 'drizzle-orm'
import t from 'tap'
import { sentType } from '#downloads/file-headers.ts'
import { startTestServer } from '../../kit/server.ts'
import { get, upload } from './downloads.ts'

t.test('types that browsers only show are sent as they are', async (t) => {
  for (const type of [
    'image/png',
    'IMAGE/JPEG',
    'video/mp4; codecs="avc1.42E01E"',
    'audio/ogg',
    'application/pdf',
    'text/plain; charset=utf-8',
    'text/plain ;charset=utf-8',
  ])
    t.equal(sentType(type), type)
})

t.test('any other is bytes without a meaning', async (t) => {
  for (const type of [
    ...['text/javascript', 'application/javascript', 'text/css', 'text/html', 'application/xhtml+xml', 'image/svg+xml'],
    ...[
      'application/json',
      'application/wasm',
      'text/xml',
      'text/vtt',
      'application/manifest+json',
      'text/cache-manifest',
    ],
    ...['text/plain/html', 'text/plain, text/html', 'image/png,text/html', '', ';text/plain', 'image/', 'x/image/png'],
  ])
    t.equal(sentType(type), 'application/octet-stream', type)
})

t.test('on every route that serves bytes, while metadata keeps the claim', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const [claimed, sent] of [
    ['text/javascript', 'application/octet-stream'],
    ['text/css', 'application/octet-stream'],
    ['image/png', 'image/png'],
  ] as const) {
    const { addresses } = await upload(server, new File(['alert(1)'], 'x', { type: claimed }))
    for (const address of addresses)
      for (const [method, headers] of [
        ['GET', {}],
        ['HEAD', {}],
        ['GET', { range: 'bytes=0-3' }],
      ] as const) {
        const response = await get(address, headers, method)
        t.equal(response.headers.get('content-type'), sent, `${address.route}: ${method} of ${claimed}`)
        t.equal(response.headers.get('x-content-type-options'), 'nosniff')
      }
    const [row] = await server.db.execute(sql`select content_type from attachments order by id desc limit 1`)
    t.match(row, { content_type: claimed })
  }
})

t.test('what a cache keeps is asked about each time, and is gone once it is deleted', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { id, addresses } = await upload(server, new File(['x'], 'x'))
  const ask = async () => {
    const first = await get(addresses[0])
    return Promise.all(addresses.map((address) => get(address, { 'if-none-match': first.headers.get('etag') ?? '' })))
  }
  for (const response of await ask()) {
    t.equal(response.status, 304)
    t.equal(response.headers.get('cache-control'), 'private, no-cache')
  }
  await fetch(`${server.url}/api/v1/attachments/${id}`, { method: 'DELETE', headers: await server.cookie(2) })
  for (const response of await ask()) {
    t.equal(response.status, 404)
    t.equal(response.headers.get('cache-control'), 'private, no-cache')
  }
})
