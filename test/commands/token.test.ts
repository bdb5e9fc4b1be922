import t, { type Test } from 'tap'
import { noSettings, repository, runCommand, stowage } from '../kit/command.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'

async function start(t: Test) {
  const server = await startTestServer(t, { store: 'disk' })
  const env = { DATABASE_URL: server.databaseUrl }
  return { server, run: (...words: string[]) => stowage(t, words, env), env }
}

function list(server: TestServer, token: string): Promise<Response> {
  return fetch(`${server.url}/v1/attachments`, { headers: { authorization: `Bearer ${token}` } })
}

function putUser(server: TestServer, token: string): Promise<Response> {
  return fetch(`${server.url}/v1/users/77`, { method: 'PUT', headers: { authorization: `Bearer ${token}` } })
}

/** The token of a command that printed just that. */
function onlyToken(t: Test, { code, stdout, stderr }: Awaited<ReturnType<typeof stowage>>): string {
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout, /^[\w-]{43}\n$/, 'a token, and nothing else')
  return stdout.trim()
}

t.test('token create prints a token that works, token revoke ends it', async (t) => {
  const { server, run } = await start(t)
  const token = onlyToken(t, await run('token', 'create', '--user', '1'))
  t.equal((await list(server, token)).status, 200)
  t.equal((await putUser(server, token)).status, 403, 'read and write only, unless asked for more')

  t.strictSame(await run('token', 'revoke', token), { code: 0, stdout: '', stderr: '' })
  t.equal((await list(server, token)).status, 401)
  const again = await run('token', 'revoke', token)
  t.strictSame(again, { code: 1, stdout: '', stderr: 'There is no such token, or it is revoked already.\n' })
})

t.test('a token that begins with a dash can be revoked', async (t) => {
  const { run } = await start(t)
  for (const words of [['-dash'], ['--', '-dash']]) {
    const { code, stderr } = await run('token', 'revoke', ...words)
    t.match({ code, stderr }, { code: 1, stderr: /^There is no such token/ }, words.join(' '))
  }
})

t.test('scopes and end', async (t) => {
  const { server, run } = await start(t)
  const admin = onlyToken(t, await run('token', 'create', '--user', '5', '--scope', 'admin, read'))
  t.equal((await putUser(server, admin)).status, 200)
  const short = onlyToken(t, await run('token', 'create', '--user=5', '--scope=read', '--expires-in=1'))
  const [row] = await server.db.execute(
    `select user_id::integer, scopes::text, expires_at - created_at < '2 seconds' as ends from tokens order by id desc limit 1`,
  )
  t.strictSame({ ...row }, { user_id: 5, scopes: '{read}', ends: true })
  t.not(short, admin)
})

t.test('through npm', async (t) => {
  const { server, env } = await start(t)
  const words = ['token', 'create', '--user', '1', '--scope', 'read,write,admin']
  const command = ['npm', 'run', '-s', 'stowage', '--', ...words]
  const { code, stdout } = await runCommand(command, { cwd: repository, env: { ...noSettings, ...env } })
  t.equal(code, 0)
  t.match(stdout, /^[\w-]{43}\n$/)
  t.equal((await putUser(server, stdout.trim())).status, 200)
})

t.test('what is wrong with an option is told before anything is done', async (t) => {
  const wrong: [string[], RegExp][] = [
    [[], /^--user needs a whole number/],
    [['--user', '0'], /^--user needs a whole number/],
    [['--user', '4503599627370496'], /^--user needs a whole number from 1 to 4503599627370495/],
    [['--user', '1', '--scope', 'read,root'], /^--scope takes read, write, admin, not "root"/],
    [['--user', '1', '--expires-in', '999999999999'], /^--expires-in needs a whole number from 1 to 315360000/],
  ]
  for (const [options, message] of wrong) {
    const ended = await stowage(t, ['token', 'create', ...options], { DATABASE_URL: 'postgres://127.0.0.1:1/none' })
    t.match(ended, { code: 1, stdout: '', stderr: message }, options.join(' '))
    t.match(ended.stderr, /\n\nUsage: stowage <command>/)
  }
})
