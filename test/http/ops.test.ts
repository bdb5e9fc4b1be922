import t from 'tap'
import type { ObjectStore } from '#store/object-store.ts'
import { isBearerError } from '../kit/bearer-api.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { startReplica } from '../kit/replica.ts'
import { startTestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

/** Longer than the time limit of the checks, and much shorter than anybody's patience. */
const readyLimit = 5000

for (const store of ['disk', 's3'] as const)
  t.test(`all is well, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const { url } = await startTestServer(t, { store })
    const live = await fetch(`${url}/livez`)
    t.equal(live.status, 200)
    t.same(await live.json(), { status: 'ok' })
    const ready = await fetch(`${url}/readyz`)
    t.equal(ready.status, 200)
    t.same(await ready.json(), { status: 'ok', database: 'ok', store: 'ok', draining: false })
    t.equal((await fetch(`${url}/readyz`, { method: 'HEAD' })).status, 200)
    await isBearerError(t, await fetch(`${url}/livez`, { method: 'POST' }), 405, 'invalid_request_error')
  })

t.test('the store is down', async (t) => {
  let check: ObjectStore['check'] | undefined
  const wrapStore = (store: ObjectStore) => ({
    ...store,
    check: (signal: AbortSignal) => (check ?? store.check)(signal),
  })
  const { url } = await startTestServer(t, { store: 'disk', wrapStore })

  check = () => Promise.reject(new Error('down'))
  const refused = await fetch(`${url}/readyz`)
  t.equal(refused.status, 503)
  t.same(await refused.json(), { status: 'unavailable', database: 'ok', store: 'unavailable', draining: false })

  let asked = 0
  check = () => {
    asked += 1
    return new Promise(() => {})
  }
  await until('what was found is not told any more', async () => {
    const askedAt = performance.now()
    const silent = await fetch(`${url}/readyz`)
    t.equal(silent.status, 503)
    t.match(await silent.json(), { store: 'unavailable', database: 'ok' })
    t.ok(performance.now() - askedAt < readyLimit, 'within the time limit, whatever the store does')
    return asked > 0
  })
  t.equal((await fetch(`${url}/livez`)).status, 200, 'the process is alive all the while')

  check = undefined
  await until('it is ready again', async () => (await fetch(`${url}/readyz`)).ok)
})

t.test('the bucket is not there', { skip: skipWithoutS3 }, async (t) => {
  const { url } = await startTestServer(t, { store: 's3', env: { S3_ENDPOINT: 'http://127.0.0.1:1' } })
  const askedAt = performance.now()
  const response = await fetch(`${url}/readyz`)
  t.equal(response.status, 503)
  t.match(await response.json(), { store: 'unavailable', database: 'ok' })
  t.ok(performance.now() - askedAt < readyLimit)
})

t.test('the database is down', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const replica = await startReplica(t, server)
  t.equal((await fetch(`${replica.url}/readyz`)).status, 200)
  const check = async (what: string) => {
    await until('it is noticed', async () => {
      const askedAt = performance.now()
      const response = await fetch(`${replica.url}/readyz`)
      const answer = await response.json()
      t.ok(performance.now() - askedAt < readyLimit, `${what}: within the time limit`)
      if (response.ok) return false
      t.equal(response.status, 503, what)
      t.same(answer, { status: 'unavailable', database: 'unavailable', store: 'ok', draining: false })
      return true
    })
    t.equal((await fetch(`${replica.url}/livez`)).status, 200, 'the process is alive all the while')
  }
  replica.line.refuse()
  await check('stopped')
  replica.line.mend()
  await until('it is ready again', async () => (await fetch(`${replica.url}/readyz`)).ok)

  replica.line.freeze()
  await check('silent')
  replica.line.mend()
  await until('it is ready again', async () => (await fetch(`${replica.url}/readyz`)).ok)
})

t.test('the page behind documentation_url', async (t) => {
  const { url } = await startTestServer(t, { store: 'disk' })
  const { documentation_url } = await isBearerError(
    t,
    await fetch(`${url}/v1/attachments`),
    401,
    'authentication_error',
  )
  const page = await fetch(documentation_url)
  t.equal(page.status, 200)
  t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  const html = await page.text()
  const types = [
    'authentication_error',
    'permission_error',
    'not_found_error',
    'invalid_request_error',
    'conflict_error',
    'rate_limit_error',
    'storage_error',
    'api_error',
  ]
  for (const type of types) t.match(html, `id="${type}"`, `it has the anchor of ${type}`)
})
