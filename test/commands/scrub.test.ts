import t from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { stowage } from '../kit/command.ts'
import { type StoreKind, startTestServer } from '../kit/server.ts'
import { noted, only, scrubsOf, tamperWith, upload } from '../scrub/scrub-run.ts'
import { bytesOf } from '../store/bodies.ts'

/** The lines of a log that are findings. */
function findingsIn(stdout: string): Record<string, unknown>[] {
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return lines.filter(({ finding }) => finding !== undefined)
}

for (const kind of ['disk', 's3'] as const satisfies StoreKind[])
  t.test(`scrub, on ${kind}`, { skip: kind === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store: kind })
    const env = server.settings
    const file = await upload(server, bytesOf(6_000_000))

    const whole = await stowage(t, ['scrub'], env)
    t.equal(whole.code, 0)
    t.match(whole.stderr, /^Scrub: 1 whole, 0 damaged, 0 missing, 0 orphaned; 5\.7 MiB read in \d+ s\.\n$/)
    t.same(findingsIn(whole.stdout), [])
    t.same(await scrubsOf(server), [only({ whole: 1 })])

    await tamperWith(t, server).write(file.key, 'something else')
    const skipped = await stowage(t, ['scrub', '--rate', 'unlimited', '--older-than', '1'], env)
    t.equal(skipped.code, 0, 'what was read lately is left out')

    await tamperWith(t, server).write('ab/abcdef', 'orphan')
    const told = await stowage(t, ['scrub', '--rate=100MiB'], env)
    t.equal(told.code, 2)
    t.match(findingsIn(told.stdout), [{ finding: 'orphaned' }, { finding: 'damaged', key: file.key }])
    t.match(told.stderr, /^Scrub: 0 whole, 1 damaged, 0 missing, 1 orphaned/)
    t.notMatch(told.stdout + told.stderr, /secret/)
    t.match(await noted(server, file), { damage: /14 bytes/ })
  })

t.test('what cannot be scrubbed: exit code 1', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  await upload(server, 'content')
  const env = server.settings
  const gone = {
    ...env,
    S3_BUCKET: 'bucket',
    S3_ENDPOINT: 'http://127.0.0.1:1',
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'hunter2',
  }
  const noStore = await stowage(t, ['scrub'], gone)
  t.equal(noStore.code, 1)
  t.match(
    noStore.stderr,
    /^Scrub: 0 whole, .*broken off \(The object store does not answer at .*S3_ENDPOINT.*\): .* no object was read/,
  )
  t.notMatch(noStore.stdout + noStore.stderr, /hunter2/)
  const noDatabase = await stowage(t, ['scrub'], { ...env, DATABASE_URL: 'postgres://127.0.0.1:1/stowage' })
  t.match(noDatabase, { code: 1, stdout: '', stderr: /^The database cannot be used/ })
})

t.test('wrong options are told before anything is done', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['--rate', 'fast'], /^--rate needs bytes a second, at least 64KiB, such as 20MiB; or unlimited\./],
    [['--rate', '1KiB'], /^--rate needs/],
    [['--older-than', '0'], /^--older-than needs a whole number from 1 to 87600/],
    [['--older-than=1d'], /^--older-than needs a whole number/],
    [['all'], /^stowage scrub does not take all\./],
  ]
  for (const [options, message] of wrong) {
    const ended = await stowage(t, ['scrub', ...options], { DATABASE_URL: 'postgres://127.0.0.1:1/none' })
    t.match(ended, { code: 1, stdout: '', stderr: message }, options.join(' '))
  }
})
