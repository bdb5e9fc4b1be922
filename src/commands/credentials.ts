import { createSession, createToken, revokeSession, revokeToken } from '#auth/credentials.ts'
import { StowageError } from '#domain/errors.ts'
import { allScopes, type Scope } from '#domain/principal.ts'
import { readClock } from '#persistence/statements.ts'
import { putUsers } from '#rooms/users.ts'
import { type Options, UsageError, userOption, wholeOption } from './usage.ts'
import { withDatabase } from './with-database.ts'

const maxSeconds = 10 * 365 * 86_400

/** `stowage token create`: prints only the token. */
export async function createTokenCommand(env: NodeJS.ProcessEnv, options: Options): Promise<void> {
  const userId = userOption(options)
  const scopes = scopesFrom(options.scope ?? 'read,write')
  const seconds = options['expires-in'] === undefined ? undefined : wholeOption('expires-in', options, maxSeconds)
  await withDatabase(env, async (db) => {
    await putUsers(db, [userId])
    const now = await readClock(db)
    const expiresAt = seconds === undefined ? null : new Date(now() + seconds * 1000)
    const { token } = await createToken(db, { userId, scopes, expiresAt })
    console.log(token)
  })
}

/** `stowage token revoke`: prints nothing. */
export async function revokeTokenCommand(env: NodeJS.ProcessEnv, _: Options, token: string): Promise<void> {
  await withDatabase(env, async (db) => {
    if (!(await revokeToken(db, { token })))
      throw new StowageError('not_found', 'There is no such token, or it is revoked already.')
  })
}

function scopesFrom(text: string): Scope[] {
  const names = text.split(',').map((scope) => scope.trim())
  const unknown = names.find((scope) => !allScopes.includes(scope as Scope))
  if (unknown !== undefined)
    throw new UsageError(`--scope takes ${allScopes.join(', ')}, not ${JSON.stringify(unknown)}.`)
  return [...new Set(names as Scope[])]
}

/** `stowage session create`: prints only the cookie pair. */
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
export async function revokeSessionCommand(env: NodeJS.ProcessEnv, _: Options, pair: string): Promise<void> {
  const session = pair.slice(pair.indexOf('=') + 1)
  await withDatabase(env, async (db) => {
    if (!(await revokeSession(db, { session })))
      throw new StowageError('not_found', 'There is no such session, or it is over already.')
  })
}
