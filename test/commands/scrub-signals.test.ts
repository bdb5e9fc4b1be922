import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { inheritedEnvironment, program } from '../kit/command.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { noted, scrubsOf, upload } from '../scrub/scrub-run.ts'
import { bytesOf } from '../store/bodies.ts'

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  t.test(`${signal} ends it in the middle of an object, with a summary`, async (t) => {
    const server = await startTestServer(t, { store: 'disk' })
    const files = [await upload(server, bytesOf(3_000_000)), await upload(server, bytesOf(3_000_000))]
    const { child, ended } = startScrub(t, server, '--rate', '64KiB')
    await once(child.stdout, 'data')
    const askedAt = performance.now()
    child.kill(signal)
    const { code, stderr } = await ended
    t.equal(code, 1)
    t.ok(performance.now() - askedAt < 10_000, 'long before it could have ended')
    t.match(stderr, /^Scrub: 0 whole, .* It was asked to stop: .*no object was read/)
    for (const file of files) t.same(await noted(server, file), { damage: null, read: false })
    t.same(await scrubsOf(server), [])
  })

function startScrub(t: Test, server: TestServer, ...options: string[]) {
  const child = spawn(process.execPath, [program, 'scrub', ...options], {
    cwd: t.testdir(),
    env: { ...inheritedEnvironment(), ...server.settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = Promise.all([once(child, 'exit'), text(child.stderr)]).then(([[code], stderr]) => ({ code, stderr }))
  return { child, ended }
}
