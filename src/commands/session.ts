import { createSession, revokeSession } from '../access/sessions.ts'
import { putUsers } from '../chat/users.ts'
import { type CommandLine, positiveOption, UsageError } from './usage.ts'
import { withDatabase } from './with-database.ts'

/** `stowage session create`: prints just the cookie pair. `stowage session revoke`: prints nothing. */
export async function session(env: NodeJS.ProcessEnv, { action, subject, options }: CommandLine): Promise<void> {
  if (action === 'create') await create(env, options)
  else if (action === 'revoke' && subject !== undefined) await revoke(env, subject)
  else throw new UsageError('stowage session needs create, or revoke and the cookie pair.')
}

async function create(env: NodeJS.ProcessEnv, options: CommandLine['options']): Promise<void> {
  const userId = positiveOption('user', options)
  await withDatabase(env, async (db, config) => {
    await putUsers(db, [userId])
    const created = await createSession(db, { userId, scopes: ['read', 'write'] })
    console.log(`${config.sessionCookie}=${created.session}`)
  })
}

async function revoke(env: NodeJS.ProcessEnv, pair: string): Promise<void> {
  const session = pair.slice(pair.indexOf('=') + 1)
  await withDatabase(env, async (db) => {
    if (!(await revokeSession(db, { session })))
      throw new UsageError('There is no such session, or it is over already.')
  })
}
