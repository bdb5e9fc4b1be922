import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type BrowserContext, chromium, type Page, type Response } from 'playwright-core'
import type { Test } from 'tap'
import { makeFolder } from '../../kit/command.ts'
import { skipWithout } from '../../kit/programs.ts'

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium'

export const skipWithoutChromium = skipWithout('Chromium at CHROMIUM or /usr/bin/chromium', [
  executablePath,
  '--version',
])

const quietFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A browser with a profile of its own, gone when the test ends. */
export async function openBrowser(t: Test): Promise<BrowserContext> {
  const profile = await makeFolder(t)
  const { PATH = '' } = process.env
  const browser = await chromium.launchPersistentContext(profile, {
    ...{ executablePath, headless: true, args: quietFlags, acceptDownloads: true },
    // Without a locale it knows no file name beyond ASCII.
    env: { PATH, HOME: profile, LANG: 'C.UTF-8' },
  })
  t.teardown(() => browser.close())
  return browser
}

/** A page with a cookie of ours, on an address that answers anything. */
export async function openPage(browser: BrowserContext, address: string, url: string, cookie: string): Promise<Page> {
  const [name = '', value = ''] = cookie.split('=')
  await browser.addCookies([{ name, value, url, httpOnly: true, sameSite: 'Lax' }])
  const page = await browser.newPage()
  await page.goto(address)
  return page
}

/** Another program's website, on an origin of its own. */
export async function startOtherSite(t: Test): Promise<string> {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The example of seed 000, word for word. */
const seed = `
const formData = new FormData();
files.forEach(file => {
    formData.append("files", file);
});

await fetch(\`/api/v1/messages/\${messageId}/attachments\`, {
    method: "POST",
    body: formData
});
`

/** Lets the page's user choose these files and runs the example of seed 000 on them. @returns the answer */
export async function runSeed(page: Page, paths: string[]): Promise<Response> {
  await page.setContent('<input type="file" multiple>')
  await page.setInputFiles('input', paths)
  const answered = page.waitForResponse((response) => response.url().endsWith('/attachments'))
  await page.evaluate(`(async () => {
    const messageId = 1
    const files = [...document.querySelector('input').files]
    ${seed}
  })()`)
  return answered
}
