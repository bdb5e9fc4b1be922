import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { makeFolder, stowage } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { startServing } from '../kit/serving.ts'

/** Whether the last user of a data directory has left it in order: no lock, no running Postgres. */
async function isLeft(dataDir: string): Promise<boolean> {
  const names = [...(await readdir(dataDir)), ...(await readdir(join(dataDir, 'postgres')))]
  return !['postgres.lock', 'postgres.json', 'postmaster.pid'].some((name) => names.includes(name))
}

t.test('a port that is taken', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const dataDir = join(await makeFolder(t), 'data')
  const ended = await stowage(t, ['serve'], { DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'silent' })
  t.match(ended, { code: 1, stdout: '' })
  t.match(ended.stderr, new RegExp(`\n  PORT ${port} is taken by another program: .*\n$`))
  t.notMatch(ended.stderr, /\n {4}at /, 'no stack')
  t.ok(await isLeft(dataDir), 'nothing is left running')

  const elsewhere = { DATA_DIR: dataDir, DATABASE_URL: await createTestDatabase(t), HOST: '192.0.2.1' }
  const refused = await stowage(t, ['serve'], { ...elsewhere, LOG_LEVEL: 'silent' })
  t.match(refused, {
    code: 1,
    stdout: '',
    stderr: /HOST 192\.0\.2\.1 and PORT 3000 cannot be listened on \(EADDRNOTAVAIL\)/,
  })
})

t.test('a second server on the same folder is refused, and the first goes on', async (t) => {
  const dataDir = join(await makeFolder(t), 'data')
  const first = await startServing(t, { DATA_DIR: dataDir })
  const second = await stowage(t, ['serve'], { DATA_DIR: dataDir, PORT: '0' })
  t.match(second, { code: 1, stdout: '', stderr: /is in use by process \d+, .* set DATA_DIR to another folder\.\n$/ })
  t.notMatch(second.stderr, /\n {4}at /, 'no stack')
  t.equal((await fetch(`${first.url}/readyz`)).status, 200)
  const doctor = await stowage(t, ['doctor'], { DATA_DIR: dataDir })
  t.match(doctor, { code: 0, stdout: /^ok {4}database/m }, 'other commands share its database')
})
