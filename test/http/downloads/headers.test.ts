import { createHash } from 'node:crypto'
import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { startTestServer } from '../../kit/server.ts'
import { get, upload } from './downloads.ts'

/** Of the connection, the moment or CORS, not of the file. */
const passing = /^(date|connection|keep-alive|vary|access-control-.*)$/

function headersOf(response: Response): Record<string, string> {
  return Object.fromEntries([...response.headers].filter(([name]) => !passing.test(name)))
}

for (const store of ['disk', 's3'] as const) {
  t.test(`every header, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store })
    const content = 'some bytes to look at'
    const sha256 = createHash('sha256').update(content).digest()
    const before = Math.floor(Date.now() / 1000) * 1000
    const { addresses } = await upload(server, new File([content], 'notes.txt', { type: 'text/plain' }))
    for (const address of addresses)
      await t.test(address.route, async (t) => {
        const response = await get(address)
        t.equal(response.status, 200)
        const { 'last-modified': modified = '', ...headers } = headersOf(response)
        t.same(headers, {
          'content-length': String(content.length),
          'content-type': 'text/plain',
          'content-disposition': `attachment; filename="notes.txt"; filename*=UTF-8''notes.txt`,
          etag: `"${sha256.toString('hex')}"`,
          'accept-ranges': 'bytes',
          'repr-digest': `sha-256=:${sha256.toString('base64')}:`,
          'cache-control': 'private, no-cache',
          'x-content-type-options': 'nosniff',
          'content-security-policy': "sandbox; default-src 'none'",
          'cross-origin-resource-policy': address.route === 'file_url' ? 'cross-origin' : 'same-site',
        })
        t.equal(new Date(modified).toUTCString(), modified, 'an HTTP date')
        t.ok(Date.parse(modified) >= before && Date.parse(modified) <= Date.now())
        t.equal(await response.text(), content)

        const head = await get(address, {}, 'HEAD')
        t.equal(head.status, 200)
        t.same(headersOf(head), headersOf(response), 'HEAD has the same headers')
        t.equal(await head.text(), '', 'and no body')
        const headOfPart = await get(address, { range: 'bytes=0-3' }, 'HEAD')
        t.equal(headOfPart.status, 200, 'HEAD knows no ranges')
        t.same(headersOf(headOfPart), headersOf(response))
      })
  })

  t.test(`an empty file, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store })
    const { addresses } = await upload(server, new File([], 'empty'))
    const digest = createHash('sha256').digest()
    for (const address of addresses)
      for (const method of ['GET', 'HEAD']) {
        const response = await get(address, {}, method)
        t.equal(response.status, 200)
        t.match(headersOf(response), {
          'content-length': '0',
          'content-type': 'application/octet-stream',
          etag: `"${digest.toString('hex')}"`,
          'repr-digest': `sha-256=:${digest.toString('base64')}:`,
          'accept-ranges': 'bytes',
        })
        t.equal(await response.text(), '')
      }
  })
}

t.test('names', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const names: [string, string, string][] = [
    ['plain name (1).txt', 'plain name (1).txt', 'plain%20name%20%281%29.txt'],
    ['say "hi".txt', 'say _hi_.txt', 'say%20%22hi%22.txt'],
    ['請求書.pdf', '___.pdf', '%E8%AB%8B%E6%B1%82%E6%9B%B8.pdf'],
    ['😀🎉.png', '__.png', '%F0%9F%98%80%F0%9F%8E%89.png'],
    ['100%.txt', '100_.txt', '100%25.txt'],
    ['a%2Fb%E8.txt', 'a_2Fb_E8.txt', 'a%252Fb%25E8.txt'],
    ["it's*;=?#&.txt", "it's*;=?#&.txt", 'it%27s%2A%3B%3D%3F%23%26.txt'],
    ['\u202egnp.exe', '_gnp.exe', '%E2%80%AEgnp.exe'],
    [`${'字'.repeat(85)}`, '_'.repeat(85), '%E5%AD%97'.repeat(85)],
  ]
  for (const [name, ascii, extended] of names) {
    const { addresses } = await upload(server, new File(['x'], name))
    for (const address of addresses) {
      const response = await get(address)
      t.equal(response.status, 200, `${address.route}: ${name}`)
      t.equal(
        response.headers.get('content-disposition'),
        `attachment; filename="${ascii}"; filename*=UTF-8''${extended}`,
        name,
      )
      t.equal(await response.text(), 'x')
    }
  }
})

t.test('a name that a route of ours might have', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (const name of ['thumbnail', 'content', 'download', 'metadata', '...', 'null']) {
    const { addresses } = await upload(server, new File([`bytes of ${name}`], name))
    for (const address of addresses) t.equal(await (await get(address)).text(), `bytes of ${name}`, address.route)
  }
})

t.test('with md5, ETag is that and Repr-Digest is left out', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { CHECKSUM_ALGORITHM: 'md5' } })
  const { addresses } = await upload(server, new File(['x'], 'x'))
  for (const address of addresses) {
    const { headers } = await get(address)
    t.equal(headers.get('etag'), `"${createHash('md5').update('x').digest('hex')}"`)
    t.equal(headers.get('repr-digest'), null)
  }
})

t.test('a page of another site may read what it embeds', async (t) => {
  const env = { CORS_ORIGINS: 'https://chat.example' }
  const server = await startTestServer(t, { store: 'disk', env })
  const { addresses } = await upload(server, new File(['x'], 'x'))
  for (const address of addresses) {
    const response = await get(address, { origin: 'https://chat.example' })
    t.equal(response.headers.get('access-control-allow-origin'), 'https://chat.example', address.route)
    t.equal(await response.text(), 'x')
    const stranger = await get(address, { origin: 'https://other.example' })
    t.equal(stranger.headers.get('access-control-allow-origin'), null)
  }
})
