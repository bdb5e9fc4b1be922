import { createSession, revokeSession } from '#auth/credentials.ts'
import { StowageError } from '#domain/errors.ts'
import { putUsers } from '#rooms/users.ts'
import { type Options, userOption } from './usage.ts'
import { withDatabase } from './with-database.ts'

/** `stowage session create`: prints just the cookie pair. */
export async function createSessionCommand(env: NodeJS.ProcessEnv, options: Options): Promise<void> {
  const userId = userOption(options)
  await withDatabase(env, async (db, config) => {
    await putUsers(db, [userId])
    const { session } = await createSession(db, {
      userId,
      scopes: ['read', 'write'],
      most: config.sessionsPerUser,
    })
    console.log(`${config.sessionCookie}=${session}`)
  })
}

/** `stowage session revoke`: prints nothing. */
export async function revokeSessionCommand(env: NodeJS.ProcessEnv, pair: string): Promise<void> {
  const session = pair.slice(pair.indexOf('=') + 1)
  await withDatabase(env, async (db) => {
    if (!(await revokeSession(db, { session })))
      throw new StowageError('not_found', 'There is no such session, or it is over already.')
  })
}
