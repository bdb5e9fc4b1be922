import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { Agent, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { makeFolder, runCommand } from '../kit/command.ts'
import { openResponse } from '../kit/http-client.ts'
import { skipWithout } from '../kit/programs.ts'
import { haproxyConfig, startHaproxy } from '../kit/servers/haproxy.ts'
import { until } from '../kit/until.ts'
import { defaultOf, readDeploy } from './deploy-files.ts'
import { clientsNoticeNothing, restartsUnnoticed, startBehind } from './load-balanced.ts'

const skip = skipWithout('HAProxy', ['haproxy', '-v'])

t.test('numbers that belong together', async (t) => {
  const text = await readDeploy('haproxy/haproxy.cfg')
  const number = (place: RegExp) => Number(place.exec(text)?.[1])
  const wait = Number((await readDeploy('compose.yml')).match(/SHUTDOWN_WAIT_SECONDS: (\d+)/)?.[1])
  t.ok(number(/inter (\d+)s/) * (number(/fall (\d+)/) + 1) < wait, 'a replica that ends gets nothing before it closes')
  t.ok(number(/timeout client (\d+)s/) > Number(defaultOf('UPLOAD_IDLE_SECONDS')), 'Stowage answers first')
  t.ok(number(/timeout server (\d+)s/) > 2 * 120, 'completing an upload may take two minutes, and be tried again')
})

t.test('HAProxy takes the file, without a warning', { skip }, async (t) => {
  const directory = await makeFolder(t)
  const file = join(directory, 'haproxy.cfg')
  await writeFile(file, await haproxyConfig({ upstreams: ['127.0.0.1:3001', '127.0.0.1:3002'], port: 3000 }))
  const { code, stdout, stderr } = await runCommand(['haproxy', '-c', '-f', file], { cwd: directory, env: {} })
  t.equal(code, 0, stderr)
  t.notMatch(stdout + stderr, /WARNING|ALERT/)
})

t.test('in front of two replicas', { skip: skip || skipWithoutS3 }, async (t) => {
  const behind = await startBehind(t, startHaproxy)
  clientsNoticeNothing(t, behind)
  restartsUnnoticed(t, behind)

  t.test('no credential and no name is in its log', async (t) => {
    const { url } = behind.place
    await fetch(`${url}/files/abcdefghijklmnop/secret%20name.txt?expires=1&signature=private`)
    await fetch(`${url}/api/v1/attachments/1/secret%20name.txt`)
    const log = () => readFile(join(behind.directory, 'haproxy.log'), 'utf8')
    await until('they are logged', async () => / GET \/api\/v1\/attachments\/1 401 /.test(await log()))
    const lines = await log()
    t.ok(lines.includes(' GET /files/abcdefghijklmnop 403 '))
    t.strictSame(lines.match(/.*(secret|private|signature|\.bin).*/g), null)
  })
})

/** What HAProxy sees of a replica: it answers everything with its name, until it has closed. */
async function standIn(t: Test, name: string) {
  const replica = { isReady: true, address: '' }
  const server = createServer(({ url }, response) => {
    response.statusCode = url === '/readyz' && !replica.isReady ? 503 : 200
    response.end(name)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  replica.address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return replica
}

t.test('a replica that is not ready gets no new requests, over kept connections either', { skip }, async (t) => {
  const [one, other] = [await standIn(t, 'one'), await standIn(t, 'other')]
  const { url, stop } = await startHaproxy({
    directory: await makeFolder(t),
    upstreams: [one.address, other.address],
  })
  t.teardown(stop)
  const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  t.teardown(() => {
    for (const agent of agents) agent.destroy()
  })
  const ask = async (agent: Agent) => {
    const response = await openResponse(url, { agent })
    return String(await response.setEncoding('utf8').toArray())
  }
  const answers = async () => new Set(await Promise.all([...agents, ...agents].map(ask)))

  await until('both are in use', async () => (await answers()).size === 2)
  one.isReady = false
  const asked = performance.now()
  await until('only the other is', async () => (await answers()).size === 1)
  t.ok(performance.now() - asked < 5000, 'before the first would close')
  t.strictSame(await answers(), new Set(['other']))
  one.isReady = true
  await until('both are again', async () => (await answers()).size === 2)
})
