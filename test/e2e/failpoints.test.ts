import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { armFailpoint, failpoints } from '#failpoints.ts'
import { makeFolder, stowage } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { demoOf, startServing, uploadFile } from '../kit/serving.ts'
import { until } from '../kit/until.ts'

const source = fileURLToPath(new URL('../../src', import.meta.url))

t.test('each failpoint lies somewhere, and no other does', async (t) => {
  const files = (await readdir(source, { recursive: true })).filter((name) => name.endsWith('.ts'))
  const texts = await Promise.all(files.map((name) => readFile(`${source}/${name}`, 'utf8')))
  const used = texts.flatMap((text) => [...text.matchAll(/\bfailpoint\('([a-z-]+)'\)/g)].map(([, name]) => name))
  t.strictSame([...new Set(used)].sort(), [...failpoints].sort())
})

t.test('a failpoint that does not exist is refused', async (t) => {
  for (const text of ['after-lunch', 'after-part:0', 'after-part:x', 'after-part:1:2', 'After-part'])
    t.throws(() => armFailpoint(text), { name: 'ConfigError', message: /STOWAGE_FAILPOINT must be/ }, text)
  t.match(await stowage(t, ['migrate'], { STOWAGE_FAILPOINT: 'after-lunch' }), { code: 1, stderr: /after-intent/ })
})

t.test('a server dies at the failpoint that is on, the second time it comes there', async (t) => {
  const env = { DATABASE_URL: await createTestDatabase(t), DATA_DIR: await makeFolder(t), DEMO: 'true' }
  const armed = await startServing(t, { ...env, STOWAGE_FAILPOINT: 'after-publish:2' })
  await demoOf(armed)
  t.match(armed.output(), /after-publish.*kills this process/)
  const { cookie } = await demoOf(armed)
  const first = await uploadFile(armed, cookie, 'first.txt', Buffer.from('first'))
  await t.rejects(uploadFile(armed, cookie, 'second.txt', Buffer.from('second')))
  t.strictSame(await armed.ended, { code: null, signal: 'SIGKILL' })

  const next = await startServing(t, env)
  const listed = async () => {
    const response = await fetch(`${next.url}/api/v1/messages/1/attachments`, { headers: { cookie } })
    return ((await response.json()) as { attachments: { attachmentState: string }[] }).attachments
  }
  await until('both are there', async () => (await listed()).length === 2)
  const ready = { attachmentState: 'ReadyForDownloadFromServerToClient' }
  t.match(await listed(), [{ ...ready, attachmentId: first }, ready], 'it died after the second was Ready')
})
