import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Principal, Scope } from '#domain/principal.ts'
import { clockFrom, databaseTime } from '#persistence/clock.ts'
import type { Database } from '#persistence/connection/client.ts'
import { prepared } from '#persistence/prepared.ts'
import { isLiveToken } from '#persistence/publish-permission.ts'
import { tokens, users } from '#persistence/schema.ts'
import { hashSecret, newSecret } from './secrets.ts'

export interface NewToken {
  userId: number
  scopes: readonly Scope[]
  /** `null`: until revoked. */
  expiresAt: Date | null
}

/** Mints a bearer token for a user that is known. The secret is returned this once and kept nowhere. */
export async function createToken(
  db: Database,
  { userId, scopes, expiresAt }: NewToken,
): Promise<{ id: number; token: string }> {
  const token = newSecret()
  const [row] = await db
    .insert(tokens)
    .values({ tokenHash: hashSecret(token), userId, scopes: [...scopes], expiresAt })
    .returning({ id: tokens.id })
  return { id: (row as { id: number }).id, token }
}

const liveToken = prepared((db) =>
  db
    .select({
      id: tokens.id,
      userId: tokens.userId,
      scopes: tokens.scopes,
      expiresAt: tokens.expiresAt,
      now: databaseTime,
    })
    .from(tokens)
    .innerJoin(users, eq(users.id, tokens.userId))
    .where(and(eq(tokens.tokenHash, sql.placeholder('hash')), isLiveToken, isNull(users.deletedAt)))
    .prepare('live_token'),
)

/** Whose token this is; `undefined` when it is unknown, expired or revoked, or its user deleted. */
export async function findToken(db: Database, token: string): Promise<Principal | undefined> {
  const [row] = await liveToken(db).execute({ hash: hashSecret(token) })
  if (row === undefined) return undefined
  const { id, userId, scopes, expiresAt, now } = row
  return { userId, scopes: scopes as Scope[], credential: { kind: 'token', id }, expiresAt, now: clockFrom(now) }
}

/** Ends a token, and with it the sessions it was exchanged for. @returns false when there is none to end */
export async function revokeToken(db: Database, which: { id: number } | { token: string }): Promise<boolean> {
  const found = 'id' in which ? eq(tokens.id, which.id) : eq(tokens.tokenHash, hashSecret(which.token))
  const rows = await db
    .update(tokens)
    .set({ revokedAt: sql`now()` })
    .where(and(found, isNull(tokens.revokedAt)))
    .returning({ id: tokens.id })
  return rows.length > 0
}
