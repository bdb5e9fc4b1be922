import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeFolder } from '../../kit/command.ts'
import { startTestServer } from '../../kit/server.ts'
import { openBrowser, openPage, runSeed, skipWithoutChromium } from './browser.ts'

t.test('a browser uploads with the example of seed 000, and downloads', { skip: skipWithoutChromium }, async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { cookie } = await server.cookie(2)
  const page = await openPage(await openBrowser(t), `${server.url}/livez`, server.url, cookie)
  const folder = await makeFolder(t)
  const contents: [name: string, bytes: Buffer][] = [
    ['契約書（最終版）.pdf', await page.pdf()],
    ['the "final" one, 100%.bin', randomBytes(2_500_000)],
    ['empty.txt', Buffer.alloc(0)],
    ['مرحبا 🚢.txt', Buffer.from('مرحبا')],
  ]
  for (const [name, bytes] of contents) await writeFile(join(folder, name), bytes)

  const paths = contents.map(([name]) => join(folder, name))
  const response = await runSeed(page, paths)
  t.equal(response.status(), 200)
  const answer: { attachmentIds: number[] } = await response.json()
  t.match(answer, { httpStatusCode: 200, attachmentIds: { length: contents.length } })
  t.strictSame(await server.states(), { ReadyForDownloadFromServerToClient: contents.length })

  for (const [index, [name, bytes]] of contents.entries()) {
    const address = `/api/v1/attachments/${answer.attachmentIds[index]}`
    const metadata = await page.evaluate(`fetch('${address}').then((response) => response.json())`)
    t.match(metadata, { fileName: name, fileSize: bytes.length })
    const downloading = page.waitForEvent('download')
    await page.setContent(`<a href="${address}/${encodeURIComponent(name)}">download</a>`)
    await page.click('a')
    const download = await downloading
    t.equal(download.suggestedFilename(), name.replaceAll('"', '_'), 'quotes are what Chromium saves in no name')
    t.ok(bytes.equals(await readFile(await download.path())), `${name}: the same bytes`)
    const remove = `fetch('${address}', { method: 'DELETE' }).then((response) => response.json())`
    t.strictSame(await page.evaluate(remove), { httpStatusCode: 200 })
  }
  t.strictSame(await server.states(), {})
})
