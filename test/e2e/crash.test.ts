import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { makeFolder } from '../kit/command.ts'
import { demoOf, downloadFile, startServing, uploadFile } from '../kit/serving.ts'
import { until } from '../kit/until.ts'
import { embeddedProcesses, noneRuns } from './embedded-processes.ts'

t.test('after kill -9 Postgres ends too, and the next start has everything that was acknowledged', async (t) => {
  const dataDir = join(await makeFolder(t), 'data')
  const first = await startServing(t, { DATA_DIR: dataDir })
  const { cookie } = await demoOf(first)
  const files = new Map<number, Buffer>()
  for (const size of [0, 1, 5_000_000]) {
    const bytes = randomBytes(size)
    files.set(await uploadFile(first, cookie, 'kept.bin', bytes), bytes)
  }
  const processes = await embeddedProcesses(dataDir)
  first.signal('SIGKILL')
  t.match(await first.ended, { signal: 'SIGKILL' })

  const second = await startServing(t, { DATA_DIR: dataDir })
  t.ok(noneRuns(processes), 'the Postgres of the first has ended')
  for (const [id, bytes] of files)
    t.ok(bytes.equals(await downloadFile(second, cookie, id, 'kept.bin')), `${bytes.length} bytes are still there`)
})

t.test('kill -9 alone leaves nothing running', async (t) => {
  const dataDir = join(await makeFolder(t), 'data')
  const serving = await startServing(t, { DATA_DIR: dataDir })
  const processes = await embeddedProcesses(dataDir)
  serving.signal('SIGKILL')
  await until('Postgres has ended', () => noneRuns(processes))
  t.notOk(serving.isGroupAlive())
})

t.test('a server whose Postgres dies says so and ends', async (t) => {
  const dataDir = join(await makeFolder(t), 'data')
  const serving = await startServing(t, { DATA_DIR: dataDir })
  await demoOf(serving)
  const processes = await embeddedProcesses(dataDir)
  // SIGQUIT is Postgres's own way to end at once.
  process.kill(processes[0]?.pid as number, 'SIGQUIT')
  t.strictSame(await serving.ended, { code: 1, signal: null })
  t.match(serving.output(), /\nPostgres ended unexpectedly\. The end of .*postgres\.log:\n/)
  t.notMatch(serving.output(), /\n {4}at /, 'no stack')
  t.ok(noneRuns(processes))
})
