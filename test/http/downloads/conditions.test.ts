import t from 'tap'
import { startTestServer } from '../../kit/server.ts'
import { get, upload } from './downloads.ts'

const day = 86_400_000

t.test('conditions', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const content = 'conditional bytes'
  const { addresses } = await upload(server, new File([content], 'a.txt'))
  for (const address of addresses) {
    const first = await get(address)
    await first.text()
    const etag = first.headers.get('etag') as string
    const modified = first.headers.get('last-modified') as string
    const at = (offset: number) => new Date(Date.parse(modified) + offset).toUTCString()

    /** Status for each set of headers, GET and HEAD alike. */
    const expectations: [number, Record<string, string>][] = [
      [304, { 'if-none-match': etag }],
      [304, { 'if-none-match': `W/${etag}` }],
      [304, { 'if-none-match': `"x", W/"y,z",${etag}` }],
      [304, { 'if-none-match': '*' }],
      [200, { 'if-none-match': '"x"' }],
      [200, { 'if-none-match': etag.replaceAll('"', '') }],
      [200, { 'if-none-match': '"x"', 'if-modified-since': modified }],
      [304, { 'if-none-match': etag, 'if-modified-since': at(-day) }],
      [304, { 'if-modified-since': modified }],
      [304, { 'if-modified-since': at(day) }],
      [200, { 'if-modified-since': at(-1000) }],
      [200, { 'if-modified-since': 'yesterday' }],
      [200, { 'if-modified-since': '2099' }],
      [200, { 'if-unmodified-since': modified }],
      [412, { 'if-unmodified-since': at(-1000) }],
      [200, { 'if-unmodified-since': '1999' }],
      [200, { 'if-match': etag }],
      [200, { 'if-match': `"x", ${etag}` }],
      [200, { 'if-match': '*' }],
      [412, { 'if-match': '"x"' }],
      [412, { 'if-match': `W/${etag}` }],
      [200, { 'if-match': etag, 'if-unmodified-since': at(-day) }],
      [304, { 'if-match': etag, 'if-none-match': etag }],
      [412, { 'if-match': '"x"', 'if-none-match': etag }],
      [412, { 'if-match': '"x"', range: 'bytes=0-1' }],
      [304, { 'if-none-match': etag, range: 'bytes=0-1' }],
      [412, { 'if-match': '"x"', range: 'bytes=999-' }],
    ]
    for (const method of ['GET', 'HEAD'])
      for (const [status, headers] of expectations) {
        const response = await get(address, headers, method)
        t.equal(response.status, status, `${address.route}: ${method} ${JSON.stringify(headers)}`)
        const body = await response.text()
        if (status === 304) {
          t.match(Object.fromEntries(response.headers), { etag, 'last-modified': modified, 'cache-control': 'private' })
          t.equal(response.headers.get('content-length'), null)
          t.equal(body, '')
        }
        if (status === 412) t.equal(response.headers.get('etag'), null)
        if (status === 412 && method === 'GET')
          t.match(JSON.parse(body), address.route === 'file_url' ? { type: String } : { httpStatusCode: 412 })
        if (status === 200) t.equal(body, method === 'HEAD' ? '' : content)
      }
  }
})

t.test('If-Range', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { addresses } = await upload(server, new File(['0123456789'], 'digits'))
  for (const address of addresses) {
    const first = await get(address)
    await first.text()
    const etag = first.headers.get('etag') as string
    const modified = first.headers.get('last-modified') as string
    const expectations: [number, string][] = [
      [206, etag],
      [206, modified],
      [200, `W/${etag}`],
      [200, '"x"'],
      [200, new Date(Date.parse(modified) - 1000).toUTCString()],
      [200, new Date(Date.parse(modified) + 1000).toUTCString()],
      [200, 'nonsense'],
      [200, ''],
    ]
    for (const [status, ifRange] of expectations) {
      const response = await get(address, { range: 'bytes=2-4', 'if-range': ifRange })
      t.equal(response.status, status, `${address.route}: ${ifRange}`)
      t.equal(await response.text(), status === 206 ? '234' : '0123456789')
    }
    const beyond = await get(address, { range: 'bytes=99-', 'if-range': '"x"' })
    t.equal(beyond.status, 200, 'a range of another representation is not even looked at')
    await beyond.text()
    const alone = await get(address, { 'if-range': '"x"' })
    t.equal(alone.status, 200)
    await alone.text()
  }
})
