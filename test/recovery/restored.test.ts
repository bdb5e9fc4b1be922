import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { makeFolder, stowage } from '../kit/command.ts'
import { Session, textFile } from '../kit/cookie-api.ts'
import { startTestServer } from '../kit/server.ts'
import { OwnPostgres } from '../kit/servers/own-postgres.ts'
import { beginPut } from '../kit/slow-upload.ts'
import { until } from '../kit/until.ts'

const slowPath = (id: number) => `/api/v1/attachments/${id}/slow.txt`

t.test('a cold copy of the database beside a newer store', async (t) => {
  const folder = await makeFolder(t)
  const folders = [join(folder, 'first'), join(folder, 'copy')] as const
  for (const name of folders) await mkdir(name)
  const first = await OwnPostgres.create(folders[0])
  let copy = first
  t.teardown(() => Promise.all([first.end('SIGQUIT'), copy.end('SIGQUIT')]))
  await first.start()
  process.env.TEST_DATABASE_URL = first.url
  // Recovery would fail what is under way when the database stops: no workers until the copy is in place.
  const server = await startTestServer(t, { store: 'disk', withWorkers: false, env: { UPLOAD_LEASE_SECONDS: '6' } })
  const env = { ...server.settings, UPLOAD_LEASE_SECONDS: '6' }
  const session = await Session.of(server, 1)
  const { stdout } = await stowage(t, ['session', 'create', '--user', '2'], env)
  const revoked = stdout.trim()
  const [deleted = 0] = await session.upload(textFile('deleted.txt'))
  const id = await session.reserve({ fileName: 'slow.txt', fileSize: 12 })
  const slow = beginPut(server.url, slowPath(id), 12, session.headers)
  await slow.send('abcdef')
  await until('its bytes arrive', async () => {
    const rows = await server.db.execute(sql`select from attachments where id = ${id} and attempt = 1`)
    return rows.length
  })

  await first.end()
  copy = await first.copy(folders[1])
  await first.start()
  await until('the database is back', async () => (await fetch(`${server.url}/readyz`)).status === 200)
  await slow.send('ghijkl')
  t.equal((await slow.answer).status, 200)
  const [lost = 0] = await session.upload(textFile('lost.txt'))
  t.equal((await session.ask('DELETE', `/attachments/${deleted}`)).status, 200)
  t.match(await stowage(t, ['session', 'revoke', revoked], env), { code: 0 })
  const { objects } = await server.remains()

  await first.end()
  await copy.start(first.port)
  const held = await stowage(t, ['restored'], env)
  t.match(held, { code: 0, stderr: '' })
  t.match(held.stdout, /1000000 ids.*scrub.*--release.*--revoke-credentials/s)
  t.match(await stowage(t, ['doctor'], env), { code: 1, stdout: /^FAIL {2}database, identity: .*stowage scrub/m })
  t.equal((await fetch(`${server.url}/api/v1/attachments/${id}`, { headers: { cookie: revoked } })).status, 200)
  const fresh = await until('an upload is taken', () =>
    session.upload(textFile('fresh.txt')).then(
      ([fresh]) => fresh,
      () => undefined,
    ),
  )
  t.ok(Number(fresh) > lost + 1_000_000)

  const released = await stowage(t, ['restored', '--release', '--revoke-credentials'], env)
  t.match(released, { code: 0, stderr: '' })
  t.match(released.stdout, /Kept: 1 file.*\nReleased.*\nRevoked: 0 tokens, \d+ sessions/)
  t.equal((await session.ask('GET', `/attachments/${id}`)).status, 401)
  const again = await Session.of(server, 1)
  t.equal(await (await again.download(id, 'slow.txt')).text(), 'abcdefghijkl', 'acknowledged after the backup')
  t.equal((await server.remains()).objects.length, objects.length + 1)
  t.match(await stowage(t, ['doctor'], env), { code: 0, stdout: /^ok {4}database, identity: /m })
  t.match(await stowage(t, ['restored', '--release'], env), { code: 0, stdout: 'Nothing was held.\n' })
})

t.test('what `restored` does not take', async (t) => {
  t.match(await stowage(t, ['restored', '--rate', '1'], {}), { code: 1, stderr: /does not take --rate/ })
  t.match(await stowage(t, ['scrub', '--release'], {}), { code: 1, stderr: /does not take --release/ })
})
