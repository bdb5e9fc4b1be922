import t from 'tap'
import { stowage } from '../kit/command.ts'
import { startTestServer } from '../kit/server.ts'

t.test('session create prints a cookie pair that works, session revoke ends it', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const run = (...words: string[]) => stowage(t, words, { DATABASE_URL: server.databaseUrl })
  const status = async (cookie: string) =>
    (await fetch(`${server.url}/api/v1/messages/1/attachments`, { headers: { cookie } })).status

  const created = await run('session', 'create', '--user', '1')
  t.match(created, { code: 0, stdout: /^session=[\w-]{43}\n$/, stderr: '' })
  const cookie = created.stdout.trim()
  t.equal(await status(cookie), 200)

  t.strictSame(await run('session', 'revoke', cookie), { code: 0, stdout: '', stderr: '' })
  t.equal(await status(cookie), 401)
  t.match(await run('session', 'revoke', cookie), { code: 1, stdout: '', stderr: /^There is no such session/ })
})

t.test('the pair has the name of SESSION_COOKIE, and a pair or its value ends the session', async (t) => {
  const { databaseUrl } = await startTestServer(t, { store: 'disk' })
  const env = { DATABASE_URL: databaseUrl, SESSION_COOKIE: 'chat-session' }
  const { stdout } = await stowage(t, ['session', 'create', '--user', '1'], env)
  t.match(stdout, /^chat-session=[\w-]{43}\n$/)
  const value = stdout.trim().slice('chat-session='.length)
  t.match(await stowage(t, ['session', 'revoke', value], env), { code: 0, stdout: '', stderr: '' })
})

t.test('a user that was deleted gets none', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(1, ['admin'])
  await fetch(`${server.url}/v1/users/3`, { method: 'DELETE', headers })
  const ended = await stowage(t, ['session', 'create', '--user', '3'], { DATABASE_URL: server.databaseUrl })
  t.match(ended, { code: 1, stdout: '', stderr: /^User 3 was deleted/ })
})
