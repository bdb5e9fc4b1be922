import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { upload as uploadFile } from '../../http/downloads/downloads.ts'
import { startTestServer } from '../../kit/server.ts'
import { openBrowser, openPage, skipWithoutChromium, startOtherSite } from './browser.ts'

/**
 * The chat's own site in front of Stowage, on one origin, as a load balancer makes it: its pages allow scripts and styles of
 * that origin alone.
 */
async function startChat(t: Test, stowage: string): Promise<string> {
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/'
    if (path === '/chat') {
      const policy = "default-src 'self'; script-src 'self'; style-src 'self'"
      response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy })
      return response.end('<!doctype html><body>chat')
    }
    const answer = await fetch(stowage + path, { headers: { cookie: request.headers.cookie ?? '' } })
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    response.end(Buffer.from(await answer.arrayBuffer()))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Adds an element to the page and tells whether it loaded. */
const load = (tag: string, attributes: Record<string, string>) => `new Promise((resolve) => {
  const element = Object.assign(document.createElement('${tag}'), ${JSON.stringify(attributes)})
  element.onload = () => resolve('loaded')
  element.onerror = () => resolve('refused')
  document.head.append(element)
})`

t.test('what was uploaded is no part of a page', { skip: skipWithoutChromium }, async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const chat = await startChat(t, server.url)
  const { cookie } = await server.cookie(2)
  const page = await openPage(await openBrowser(t), `${chat}/chat`, chat, cookie)
  const addressesOf = async (file: File) =>
    (await uploadFile(server, file)).addresses.map(({ url }) => url.replace(server.url, chat))

  for (const type of ['text/javascript', 'application/javascript', 'text/plain', 'application/json', ''])
    for (const src of await addressesOf(new File(['window.taken = true'], 'x.js', { type }))) {
      t.equal(await page.evaluate(load('script', { src })), 'refused', `a script of type ${type}`)
      t.equal(await page.evaluate(load('script', { src, type: 'module' })), 'refused', `a module of type ${type}`)
    }
  t.equal(await page.evaluate('window.taken'), undefined)

  for (const type of ['text/css', 'text/plain', ''])
    for (const href of await addressesOf(new File(['body { color: rgb(1, 2, 3) }'], 'x.css', { type })))
      t.equal(await page.evaluate(load('link', { rel: 'stylesheet', href })), 'refused', `a style of type ${type}`)
  t.not(await page.evaluate('getComputedStyle(document.body).color'), 'rgb(1, 2, 3)')

  const [worker] = await addressesOf(new File(['self.postMessage(1)'], 'w.js', { type: 'text/javascript' }))
  const work = `new Promise((resolve) => {
    const worker = new Worker('${worker}')
    worker.onmessage = () => resolve('ran')
    worker.onerror = () => resolve('refused')
  })`
  t.equal(await page.evaluate(work), 'refused')
  t.equal(
    await page.evaluate(`navigator.serviceWorker.register('${worker}').then(() => 'ran', () => 'refused')`),
    'refused',
  )
})

t.test(
  'a page of another origin reads a document in pieces, as viewers of PDF do',
  { skip: skipWithoutChromium },
  async (t) => {
    const sister = await startOtherSite(t)
    const server = await startTestServer(t, { store: 'disk', env: { CORS_ORIGINS: sister } })
    const { cookie } = await server.cookie(2)
    const page = await openPage(await openBrowser(t), sister, server.url, cookie)
    const content = Buffer.alloc(300_000, '0123456789')
    const { addresses } = await uploadFile(server, new File([content], 'long.pdf', { type: 'application/pdf' }))
    for (const { route, url } of addresses) {
      const seen = await page.evaluate(`(async () => {
      const whole = await fetch('${url}', { credentials: 'include' })
      const { headers } = whole
      await whole.body.cancel()
      const part = await fetch('${url}', { credentials: 'include', headers: { range: 'bytes=100000-100009' } })
      return {
        ranges: headers.get('accept-ranges'),
        length: headers.get('content-length'),
        etag: headers.get('etag') !== null,
        status: part.status,
        of: part.headers.get('content-range'),
        text: await part.text(),
      }
    })()`)
      const expected = { ranges: 'bytes', length: '300000', etag: true, status: 206, text: '0123456789' }
      t.strictSame(seen, { ...expected, of: 'bytes 100000-100009/300000' }, route)
      const error = `fetch('${server.url}/api/v1/attachments/1/%E0%A4', { credentials: 'include' }).then((answer) => answer.json())`
      t.match(await page.evaluate(error), { httpStatusCode: 400 }, 'an error that reaches no route is read too')
    }
  },
)
