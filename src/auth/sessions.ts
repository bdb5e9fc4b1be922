import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Principal, Scope } from '#domain/principal.ts'
import { clockFrom, databaseTime } from '#persistence/clock.ts'
import { type Database, rowsOf } from '#persistence/connection/client.ts'
import { prepared } from '#persistence/prepared.ts'
import { isLiveSession, isLiveToken } from '#persistence/publish-permission.ts'
import { sessions, tokens, users } from '#persistence/schema.ts'
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
  /** Most live sessions of the token, or else of the user without a token: with one more the oldest ends. Any number unless given. */
  most?: number
}

/** Sessions that one new session ends at most. */
const mostEnded = 10

/**
 * Mints a cookie session for a user that is known. The secret is returned this once and kept nowhere. Those that may have to
 * end are looked for in the order of the index that they are in, as Postgres might otherwise go through everybody's.
 */
export async function createSession(
  db: Database,
  { userId, scopes, tokenId, expiresAt, most }: NewSession,
): Promise<{ id: number; session: string; expiresAt: Date }> {
  const session = newSecret()
  const alike = tokenId === undefined ? sql`user_id = ${userId} and token_id is null` : sql`token_id = ${tokenId}`
  const rows = await db.execute(sql`
    with ended as (
      update sessions set revoked_at = now() where id in (
        select id from sessions
        where ${alike} and revoked_at is null and expires_at > now() and ${most ?? null}::integer is not null
        order by revoked_at desc, id desc offset ${(most ?? 1) - 1} limit ${mostEnded}
        for update skip locked
      )
    )
    insert into sessions (session_hash, user_id, token_id, scopes, expires_at)
    select ${hashSecret(session)}, ${userId}::bigint, ${tokenId ?? null}::bigint,
      array(select jsonb_array_elements_text(${JSON.stringify(scopes)}::text::jsonb)),
      coalesce(${expiresAt?.toISOString() ?? null}::timestamptz, now() + make_interval(secs => ${sessionSeconds}))
    returning *`)
  const [row] = rowsOf(sessions, rows)
  if (row === undefined) throw new Error('A session was not written')
  return { id: row.id, session, expiresAt: row.expiresAt }
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
    .where(and(eq(sessions.sessionHash, sql.placeholder('hash')), isLiveSession, isLiveToken, isNull(users.deletedAt)))
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
