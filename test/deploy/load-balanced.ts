import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { findFreePort } from '#dev/free-port.ts'
import { bucketSettings, createTestBucket } from '../kit/bucket.ts'
import { makeFolder } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { openResponse } from '../kit/http-client.ts'
import type { LoadBalancer, LoadBalancerOptions } from '../kit/servers/load-balancer.ts'
import { demoOf, downloadFile, type Serving, startServing, uploadFile } from '../kit/serving.ts'
import { until } from '../kit/until.ts'
import { form, type Place, putBytes, reserve } from '../kit/ways-to-upload.ts'

export type Start = (options: LoadBalancerOptions) => Promise<LoadBalancer>

/** Two replicas behind a load balancer; the place is where clients reach them. */
export interface Behind {
  place: Place & Serving
  replicas: Serving[]
  /** Starts one again, at its address. */
  restart(index: number): Promise<Serving>
  /** Of the load balancer. */
  directory: string
  remains: Awaited<ReturnType<typeof createTestBucket>>['remains']
}

const MiB = 2 ** 20
const idleSeconds = 3

export async function startBehind(t: Test, start: Start): Promise<Behind> {
  const bucket = await createTestBucket(t)
  const env = {
    DATABASE_URL: await createTestDatabase(t),
    ...bucketSettings(bucket),
    URL_SIGNING_KEY: 'the same on both replicas, of course',
    TRUST_PROXY: '127.0.0.1',
    MAX_FILE_SIZE: '80MiB',
    UPLOAD_IDLE_SECONDS: String(idleSeconds),
    SHUTDOWN_WAIT_SECONDS: '5',
    // All visitors attach to one message.
    ATTACHMENTS_PER_MESSAGE: '100000',
  }
  const ports = [await findFreePort(), await findFreePort()]
  const serve = (index: number, more: NodeJS.ProcessEnv = {}) =>
    startServing(t, { ...env, PORT: String(ports[index]), ...more })
  const replicas = await Promise.all([serve(0, { DEMO: 'true' }), serve(1)])
  const [first] = replicas
  const directory = await makeFolder(t)
  const { url, stop } = await start({ directory, upstreams: ports.map((port) => `127.0.0.1:${port}`) })
  t.teardown(stop)
  return {
    place: { ...first, url, ...(await demoOf(first)) },
    replicas,
    restart: async (index) => (replicas[index] = await serve(index)),
    directory,
    remains: bucket.remains,
  }
}

/** What clients notice of a load balancer: nothing. */
export function clientsNoticeNothing(t: Test, behind: Behind): void {
  const { place, replicas, remains } = behind
  const { url, cookie } = place
  const states = async () => {
    const response = await fetch(`${url}/api/v1/messages/1/attachments`, { headers: { cookie } })
    const { attachments } = (await response.json()) as { attachments: { attachmentState: string }[] }
    return attachments.map(({ attachmentState }) => attachmentState)
  }

  t.test('64 MiB come and go, as a form and as a PUT', async (t) => {
    const bytes = randomBytes(64 * MiB)
    const id = await uploadFile(place, cookie, '契約書 100%.bin', bytes)
    t.ok(bytes.equals(await downloadFile(place, cookie, id, '契約書 100%.bin')))

    const file = { fileName: 'large.bin', size: bytes.length }
    const put = putBytes(place, await reserve(place, file), file)
    await put.send(bytes)
    t.match(await put.finish(), { status: 200, body: /ReadyForDownload/ })
  })

  t.test('the first bytes are stored before the last are sent', async (t) => {
    const bytes = randomBytes(24 * MiB)
    const upload = await form.begin(place, { fileName: 'slow.bin', size: 0 })
    await upload.send(bytes)
    await until('the store has begun it', async () => (await remains()).uploads.length === 1)
    await upload.send(bytes)
    t.equal((await upload.finish()).status, 200)
  })

  t.test('a client that hangs up has failed at once', async () => {
    const upload = await form.begin(place, { fileName: 'hung-up.bin', size: 0 })
    await upload.send(randomBytes(24 * MiB))
    await until('the store has begun it', async () => (await remains()).uploads.length === 1)
    upload.socket.destroy()
    await until('it has failed', async () => (await states()).includes('UploadFromClientToServerFailed'), 5)
    await until('its bytes are gone', async () => (await remains()).uploads.length === 0)
  })

  t.test('a client that falls silent gets 408', async (t) => {
    const upload = await form.begin(place, { fileName: 'silent.bin', size: 0 })
    await upload.send(randomBytes(MiB))
    await until('it is answered', () => upload.socket.bytesRead > 0, idleSeconds + 5)
    t.match(await upload.finish(), { status: 408, body: /"httpStatusCode":408/ })
  })

  t.test('a file that is too large gets 413, in the words of the API, while it is sent', async (t) => {
    const upload = await form.begin(place, { fileName: 'too-large.bin', size: 0 })
    for (let sent = 0; sent < 88; sent += 4) await upload.send(randomBytes(4 * MiB))
    t.match(await upload.finish(), { status: 413, body: /"httpStatusCode":413/ })
  })

  t.test("it is the client's address that Stowage sees, whatever the client claims", async (t) => {
    const headers = { 'x-forwarded-for': '192.0.2.1' }
    const response = await openResponse(`${url}/v1/attachments`, { headers, localAddress: '127.0.0.9' })
    response.resume()
    const printed = () => replicas.map(({ output }) => output()).join('')
    await until('it is logged', () => printed().includes('"remoteAddress":"127.0.0.9"'))
    t.notMatch(printed(), '192.0.2.1')
  })

  t.test('what is inside stays there', async (t) => {
    for (const path of [
      '/metrics',
      '/readyz',
      '/%6detrics',
      '/read%79z',
      '//metrics',
      '/metrics/',
      '/readyz?verbose',
    ]) {
      t.equal((await fetch(`${url}${path}`)).status, 404, path)
    }
    t.equal((await fetch(`${url}/livez`)).status, 200)
  })
}

/** Restarts one replica after the other, while small files come and go and a large one is under way. */
export function restartsUnnoticed(t: Test, { place, replicas, restart }: Behind): void {
  t.test('a rolling restart: every request is answered as if nothing were', async (t) => {
    const { cookie } = place
    let done = false
    const problems: unknown[] = []
    let requests = 0
    const visit = async () => {
      const bytes = randomBytes(10_000)
      while (!done) {
        try {
          const id = await uploadFile(place, cookie, 'small.bin', bytes)
          if (!bytes.equals(await downloadFile(place, cookie, id, 'small.bin'))) problems.push('other bytes')
          requests += 2
          await delay(20)
        } catch (error) {
          problems.push(error)
        }
      }
    }
    const visitors = Array.from({ length: 4 }, visit)

    for (const index of replicas.keys()) {
      const replica = replicas[index] as Serving
      const bytes = randomBytes(3 * MiB)
      const slow = await Promise.all([form, form].map((way) => way.begin(place, { fileName: 'slow.bin', size: 0 })))
      for (const upload of slow) await upload.send(bytes)
      replica.signal('SIGTERM')
      for (let step = 0; step < 6; step++) {
        await delay(1200)
        for (const upload of slow) await upload.send(bytes)
      }
      for (const upload of slow) t.equal((await upload.finish()).status, 200, 'an upload on its way when it began')
      t.match(await replica.ended, { code: 0 })
      await restart(index)
    }
    done = true
    await Promise.all(visitors)
    t.strictSame(problems, [], `${requests} requests`)
    t.ok(requests > 50)
  })
}
