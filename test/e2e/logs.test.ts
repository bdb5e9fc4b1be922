import t from 'tap'
import { makeFolder } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { demoOf, downloadFile, startServing, uploadFile } from '../kit/serving.ts'
import { until } from '../kit/until.ts'

t.test('logs are JSON lines with a request id, and keep secrets and file names to themselves', async (t) => {
  const env = {
    DATABASE_URL: await createTestDatabase(t),
    DATA_DIR: await makeFolder(t),
    DEMO: 'true',
    LOG_LEVEL: 'trace',
  }
  const serving = await startServing(t, env)
  const { cookie, authorization } = await demoOf(serving)
  const printedBefore = serving.output().length
  const name = 'secret-plans.pdf'
  const id = await uploadFile(serving, cookie, name, Buffer.from('content'))
  await downloadFile(serving, cookie, id, name)
  const list = await fetch(`${serving.url}/v1/attachments?conversation_id=1`, { headers: { authorization } })
  const [{ file_url }] = ((await list.json()) as { data: [{ file_url: string }] }).data
  const { pathname, search, searchParams } = new URL(file_url)
  await fetch(`${serving.url}${pathname}${search}`)
  await fetch(`${serving.url}${pathname}x${search}`)
  await fetch(`${serving.url}/no/such/${name}`)
  await fetch(`${serving.url}/v1/attachments/%zz${name}`, { headers: { authorization } })
  await fetch(`${serving.url}/v1/attachments`, { headers: { authorization: `${authorization}wrong` } })

  const lines = () => serving.output().slice(printedBefore).trim().split('\n')
  await until('the last request is logged', () => lines().filter((line) => line.includes('"statusCode"')).length >= 6)
  const records = lines()
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  t.ok(records.some(({ reqId, req }) => reqId && req?.route === '/api/v1/attachments/:attachmentId/:fileName'))
  const ofRequests = records.filter(({ reqId, res }) => reqId && res)
  t.equal(new Set(ofRequests.map(({ reqId }) => reqId)).size, ofRequests.length, 'one line a request')
  const logged = lines().join('\n')
  const secrets = [name, cookie.split('=')[1], authorization.slice('Bearer '.length), searchParams.get('signature')]
  for (const secret of secrets) t.notOk(logged.includes(String(secret)), String(secret))
})
