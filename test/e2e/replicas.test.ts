import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { bucketSettings, createTestBucket, skipWithoutS3 } from '../kit/bucket.ts'
import { createTestDatabase } from '../kit/database.ts'
import { demoOf, downloadFile, type Serving, startServing, uploadFile } from '../kit/serving.ts'
import { beginForm } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'
import { putBytes, reserve } from '../kit/ways-to-upload.ts'

const leaseSeconds = 4
const attachments = '/api/v1/messages/1/attachments'

/** Two servers that start at the same moment on one empty database and one empty bucket. */
async function startReplicas(t: Test) {
  const bucket = await createTestBucket(t)
  const env = {
    DATABASE_URL: await createTestDatabase(t),
    ...bucketSettings(bucket),
    URL_SIGNING_KEY: 'the same on both replicas, of course',
    UPLOAD_LEASE_SECONDS: String(leaseSeconds),
  }
  const [one, other] = await Promise.all([startServing(t, { ...env, DEMO: 'true' }), startServing(t, env)])
  return { one, other, remains: bucket.remains, ...(await demoOf(one)) }
}

async function listed({ url }: Serving, cookie: string) {
  const response = await fetch(`${url}${attachments}`, { headers: { cookie } })
  const answer = (await response.json()) as { attachments: { attachmentId: number; attachmentState: string }[] }
  return answer.attachments
}

t.test('replicas on one database and one bucket', { skip: skipWithoutS3 }, async (t) => {
  t.test('what one takes the other serves and deletes', async (t) => {
    const { one, other, remains, cookie, authorization } = await startReplicas(t)
    const bytes = randomBytes(20_000_000)
    const id = await uploadFile(one, cookie, '契約書.pdf', bytes)
    t.ok(bytes.equals(await downloadFile(other, cookie, id, '契約書.pdf')))
    const address = (serving: Serving) => `${serving.url}/api/v1/attachments/${id}`

    const list = await fetch(`${one.url}/v1/attachments`, { headers: { authorization } })
    const [{ file_url }] = ((await list.json()) as { data: [{ file_url: string }] }).data
    const { pathname, search } = new URL(file_url)
    const linked = await fetch(`${other.url}${pathname}${search}`)
    t.ok(bytes.equals(Buffer.from(await linked.arrayBuffer())), 'and so does a link that the first has signed')

    t.equal((await fetch(address(other), { method: 'DELETE', headers: { cookie } })).status, 200)
    t.equal((await fetch(address(one), { headers: { cookie } })).status, 404, 'gone at once on the other one too')
    t.equal((await fetch(`${one.url}${pathname}${search}`)).status, 404)
    await until('its bytes are gone', async () => (await remains()).objects.length === 0)
  })

  t.test('kill -9 in the midst of an upload: another replica fails it, and nothing is left of it', async (t) => {
    const { one, other, remains, cookie } = await startReplicas(t)
    const form = beginForm(one.url, attachments, 'files', { cookie })
    await form.send(randomBytes(24 * 2 ** 20))
    await until('the store has begun it', async () => (await remains()).uploads.length === 1)
    t.match(await listed(other, cookie), [{ attachmentState: 'UploadFromClientToServerInProgress' }])

    one.signal('SIGKILL')
    await one.ended
    const deadline = performance.now() + 2 * leaseSeconds * 1000
    const leases = () => (deadline - performance.now()) / 1000
    await until(
      'it has failed',
      async () => /Failed$/.test(`${(await listed(other, cookie))[0]?.attachmentState}`),
      leases(),
    )
    await until('its bytes are gone', async () => (await remains()).uploads.length === 0, leases())
    t.strictSame(await remains(), { objects: [], uploads: [] })
    const [failed] = await listed(other, cookie)
    t.match(failed, { attachmentState: 'UploadFromClientToServerFailed', failureReason: /Send it again/ })
    form.socket.destroy()
  })

  t.test('kill -9 in the midst of a PUT: another replica fails it, and takes it again', async (t) => {
    const { one, other, remains, cookie, authorization } = await startReplicas(t)
    const bytes = randomBytes(24 * 2 ** 20)
    const file = { fileName: 'again.bin', size: bytes.length }
    const id = await reserve({ url: one.url, cookie, authorization }, file)
    const put = putBytes({ url: one.url, cookie, authorization }, id, file)
    await put.send(bytes.subarray(0, bytes.length / 2))
    const state = async () => (await listed(other, cookie))[0]?.attachmentState
    await until('it has begun', async () => (await state()) === 'UploadFromClientToServerInProgress')

    one.signal('SIGKILL')
    await one.ended
    await until('it has failed', async () => (await state()) === 'UploadFromClientToServerFailed', 2 * leaseSeconds)
    t.strictSame(await remains(), { objects: [], uploads: [] })

    const again = putBytes({ url: other.url, cookie, authorization }, id, file)
    await again.send(bytes)
    t.equal((await again.finish()).status, 200)
    t.ok(bytes.equals(await downloadFile(other, cookie, id, 'again.bin')))
    t.match(await remains(), { objects: { length: 1 }, uploads: [] })
  })

  t.test('kill -9 as soon as the answer is there: the file is too', async (t) => {
    const { one, other, remains, cookie } = await startReplicas(t)
    const bytes = randomBytes(20_000_000)
    const id = await uploadFile(one, cookie, 'kept.bin', bytes)
    one.signal('SIGKILL')
    await one.ended
    t.match(await listed(other, cookie), [{ attachmentId: id, attachmentState: 'ReadyForDownloadFromServerToClient' }])
    t.ok(bytes.equals(await downloadFile(other, cookie, id, 'kept.bin')))
    t.match(await remains(), { objects: { length: 1 }, uploads: [] })
  })
})
