import { allScopes, type Scope } from '../access/principal.ts'
import { createToken, revokeToken } from '../access/tokens.ts'
import { putUsers } from '../chat/users.ts'
import { type CommandLine, positiveOption, UsageError } from './usage.ts'
import { withDatabase } from './with-database.ts'

/** `stowage token create`: prints just the token. `stowage token revoke`: prints nothing. */
export async function token(env: NodeJS.ProcessEnv, { action, subject, options }: CommandLine): Promise<void> {
  if (action === 'create') await create(env, options)
  else if (action === 'revoke' && subject !== undefined) await revoke(env, subject)
  else throw new UsageError('stowage token needs create, or revoke and the token.')
}

async function create(env: NodeJS.ProcessEnv, options: CommandLine['options']): Promise<void> {
  const userId = positiveOption('user', options)
  const scopes = scopesFrom(options.scope ?? 'read,write')
  const expiresAt =
    options['expires-in'] === undefined ? null : new Date(Date.now() + positiveOption('expires-in', options) * 1000)
  await withDatabase(env, async (db) => {
    await putUsers(db, [userId])
    const created = await createToken(db, { userId, scopes, expiresAt })
    console.log(created.token)
  })
}

async function revoke(env: NodeJS.ProcessEnv, token: string): Promise<void> {
  await withDatabase(env, async (db) => {
    if (!(await revokeToken(db, { token }))) throw new UsageError('There is no such token, or it is revoked already.')
  })
}

function scopesFrom(text: string): Scope[] {
  const wanted = text.split(',').map((scope) => scope.trim())
  const unknown = wanted.find((scope) => !allScopes.includes(scope as Scope))
  if (unknown !== undefined)
    throw new UsageError(`--scope takes ${allScopes.join(', ')}, not ${JSON.stringify(unknown)}.`)
  return [...new Set(wanted as Scope[])]
}
