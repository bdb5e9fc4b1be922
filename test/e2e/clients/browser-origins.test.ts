import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeFolder } from '../../kit/command.ts'
import { startTestServer } from '../../kit/server.ts'
import { openBrowser, openPage, skipWithoutChromium, startOtherSite } from './browser.ts'

/** What a page does to upload to a server of another origin, with the cookie. */
const upload = (url: string) => `(async () => {
  const body = new FormData()
  body.append('files', new File(['a note'], 'note.txt'))
  const response = await fetch('${url}/api/v1/messages/1/attachments', { method: 'POST', body, credentials: 'include' })
  return response.json()
})()`

const nothing = [{}, { objects: [], uploads: [] }]

/** A picture of 3 by 2 pixels. */
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGP4z8AAQQxwFgBB0gX7h/C5SAAAAABJRU5ErkJggg=='

t.test('pages of other origins', { skip: skipWithoutChromium }, async (t) => {
  const browser = await openBrowser(t)
  const [stranger, sister] = [await startOtherSite(t), await startOtherSite(t)]
  const server = await startTestServer(t, { store: 'disk', env: { CORS_ORIGINS: sister } })
  const { cookie } = await server.cookie(2)

  t.test('the script of a stranger is refused', async (t) => {
    const page = await openPage(browser, stranger, server.url, cookie)
    const seen = new Promise<unknown>((resolve) => {
      server.app.server.once('request', ({ method, headers }, response) =>
        response.once('close', () => resolve({ method, cookie: headers.cookie, status: response.statusCode })),
      )
    })
    await t.rejects(page.evaluate(upload(server.url)), /Failed to fetch/, 'it cannot read the answer')
    t.strictSame(await seen, { method: 'POST', cookie, status: 403 }, 'the browser sent the cookie along')
    t.strictSame([await server.states(), await server.remains()], nothing)
  })

  t.test('the form of a stranger is refused', async (t) => {
    const page = await openPage(browser, stranger, server.url, cookie)
    const path = join(await makeFolder(t), 'note.txt')
    await writeFile(path, 'a note')
    const action = `${server.url}/api/v1/messages/1/attachments`
    await page.setContent(`<form method="post" enctype="multipart/form-data" action="${action}">
      <input type="file" name="files"><button>Win a prize</button></form>`)
    await page.setInputFiles('input', path)
    const answered = page.waitForResponse((response) => response.request().method() === 'POST')
    await page.click('button')
    t.equal((await answered).status(), 403)
    t.strictSame([await server.states(), await server.remains()], nothing)
  })

  t.test('a page in CORS_ORIGINS uploads, downloads and deletes, with the cookie', async (t) => {
    const page = await openPage(browser, sister, server.url, cookie)
    const answer = await page.evaluate<{ attachmentIds: number[] }>(upload(server.url))
    t.match(answer, { httpStatusCode: 200, attachmentIds: { length: 1 } })
    const address = `${server.url}/api/v1/attachments/${answer.attachmentIds[0]}`
    const download = `fetch('${address}/note.txt', { credentials: 'include' }).then((response) => response.text())`
    t.equal(await page.evaluate(download), 'a note')
    const remove = `fetch('${address}', { method: 'DELETE', credentials: 'include' }).then(({ status }) => status)`
    t.equal(await page.evaluate(remove), 200)
  })

  t.test('a file_url shows a picture on any page', async (t) => {
    const headers = await server.bearer(2)
    const body = new FormData()
    body.append('file', new File([Buffer.from(png, 'base64')], 'picture.png', { type: 'image/png' }))
    const created = await fetch(`${server.url}/v1/attachments`, { method: 'POST', headers, body })
    const { file_url } = (await created.json()) as { file_url: string }
    const page = await openPage(browser, stranger, server.url, cookie)
    await page.setContent(`<img src="${file_url}">`)
    const shown = `document.querySelector('img').decode().then(() => document.querySelector('img').naturalWidth)`
    t.equal(await page.evaluate(shown), 3)
  })
})
