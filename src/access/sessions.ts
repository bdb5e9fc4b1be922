import { and, eq, gt, isNull, or, sql } from 'drizzle-orm'
import type { Database } from '../db/client.ts'
import { clockFrom, databaseTime } from '../db/clock.ts'
import { prepared } from '../db/prepared.ts'
import { sessions, tokens, users } from '../db/schema.ts'
import type { Principal, Scope } from './principal.ts'
import { hashSecret, newSecret } from './secrets.ts'

/** How long a session lasts unless it says otherwise, in seconds: 30 days. */
export const sessionSeconds = 30 * 86_400

export interface NewSession {
  userId: number
  scopes: readonly Scope[]
  /** The token it was exchanged for, which takes it along when it ends. */
  tokenId?: number
  /** In {@link sessionSeconds} unless given. */
  expiresAt?: Date
}

/** Mints a cookie session for a user that is known. The secret is returned this once and kept nowhere. */
export async function createSession(
  db: Database,
  { userId, scopes, tokenId, expiresAt }: NewSession,
): Promise<{ id: number; session: string; expiresAt: Date }> {
  const session = newSecret()
  const [row] = await db
    .insert(sessions)
    .values({
      sessionHash: hashSecret(session),
      userId,
      tokenId,
      scopes: [...scopes],
      expiresAt: expiresAt ?? sql`now() + make_interval(secs => ${sessionSeconds})`,
    })
    .returning({ id: sessions.id, expiresAt: sessions.expiresAt })
  return { ...(row as { id: number; expiresAt: Date }), session }
}

const liveSession = prepared((db) =>
  db
    .select({
      id: sessions.id,
      userId: sessions.userId,
      scopes: sessions.scopes,
      expiresAt: sessions.expiresAt,
      now: databaseTime,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .leftJoin(tokens, eq(tokens.id, sessions.tokenId))
    .where(
      and(
        eq(sessions.sessionHash, sql.placeholder('hash')),
        isNull(sessions.revokedAt),
        gt(sessions.expiresAt, sql`now()`),
        isNull(tokens.revokedAt),
        or(isNull(tokens.expiresAt), gt(tokens.expiresAt, sql`now()`)),
        isNull(users.deletedAt),
      ),
    )
    .prepare('live_session'),
)

/** Whose session this is; `undefined` when it is unknown, expired or revoked, its token ended, or its user deleted. */
export async function findSession(db: Database, session: string): Promise<Principal | undefined> {
  const [row] = await liveSession(db).execute({ hash: hashSecret(session) })
  if (row === undefined) return undefined
  const { id, userId, scopes, expiresAt, now } = row
  return { userId, scopes: scopes as Scope[], credential: { kind: 'session', id }, expiresAt, now: clockFrom(now) }
}

/** Ends a session. @returns false when there is none to end */
export async function revokeSession(db: Database, which: { id: number } | { session: string }): Promise<boolean> {
  const found = 'id' in which ? eq(sessions.id, which.id) : eq(sessions.sessionHash, hashSecret(which.session))
  const rows = await db
    .update(sessions)
    .set({ revokedAt: sql`now()` })
    .where(and(found, isNull(sessions.revokedAt)))
    .returning({ id: sessions.id })
  return rows.length > 0
}
