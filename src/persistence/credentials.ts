import { and, eq, isNull, sql } from 'drizzle-orm'
import { type Principal, type Scope, sessionSeconds } from '#domain/principal.ts'
import type { Database } from '#persistence/connection/client.ts'
import { isLiveSession, isLiveToken } from './publish-permission.ts'
import { sessions, tokens, users } from './schema.ts'
import { clockFrom, databaseTime, prepared, rowsOf } from './statements.ts'

export interface NewToken {
  userId: number
  scopes: readonly Scope[]
  /** `null`: until revoked. */
  expiresAt: Date | null
}

export async function insertToken(
  db: Database,
  tokenHash: string,
  { userId, scopes, expiresAt }: NewToken,
): Promise<{ id: number }> {
  const [row] = await db
    .insert(tokens)
    .values({ tokenHash, userId, scopes: [...scopes], expiresAt })
    .returning({ id: tokens.id })
  return row as { id: number }
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

/** The owner of a token; `undefined` for an unknown, expired or revoked token, or a deleted user. */
export async function findTokenOwner(db: Database, hash: string): Promise<Principal | undefined> {
  const [row] = await liveToken(db).execute({ hash })
  if (row === undefined) return undefined
  const { id, userId, scopes, expiresAt, now } = row
  return { userId, scopes: scopes as Scope[], credential: { kind: 'token', id }, expiresAt, now: clockFrom(now) }
}

/** Revokes a token. The sessions made from the token end with it. @returns false when no unrevoked token was found */
export async function endToken(db: Database, which: { id: number } | { hash: string }): Promise<boolean> {
  const isSelected = 'id' in which ? eq(tokens.id, which.id) : eq(tokens.tokenHash, which.hash)
  const rows = await db
    .update(tokens)
    .set({ revokedAt: sql`now()` })
    .where(and(isSelected, isNull(tokens.revokedAt)))
    .returning({ id: tokens.id })
  return rows.length > 0
}

export interface NewSession {
  userId: number
  scopes: readonly Scope[]
  /** The token that was exchanged for the session. The session ends with the token. */
  tokenId?: number
  /** Default: {@link sessionSeconds} from now. */
  expiresAt?: Date
  /** Most live sessions of the token, or of the user without a token. Above it the oldest one ends. Unset: no limit. */
  most?: number
}

/** Most sessions that one new session ends. */
const maxRevoked = 10

/**
 * Inserts a session and revokes the oldest sessions above `most`. The sessions to revoke are searched in the order of
 * their index, because Postgres might otherwise read the sessions of all users.
 */
export async function insertSession(
  db: Database,
  sessionHash: string,
  { userId, scopes, tokenId, expiresAt, most }: NewSession,
): Promise<{ id: number; expiresAt: Date }> {
  const hasSameOwner =
    tokenId === undefined ? sql`user_id = ${userId} and token_id is null` : sql`token_id = ${tokenId}`
  const rows = await db.execute(sql`
    with revoked as (
      update sessions set revoked_at = now() where id in (
        select id from sessions
        where ${hasSameOwner} and revoked_at is null and expires_at > now() and ${most ?? null}::integer is not null
        order by revoked_at desc, id desc offset ${(most ?? 1) - 1} limit ${maxRevoked}
        for update skip locked
      )
    )
    insert into sessions (session_hash, user_id, token_id, scopes, expires_at)
    select ${sessionHash}, ${userId}::bigint, ${tokenId ?? null}::bigint,
      array(select jsonb_array_elements_text(${JSON.stringify(scopes)}::text::jsonb)),
      coalesce(${expiresAt?.toISOString() ?? null}::timestamptz, now() + make_interval(secs => ${sessionSeconds}))
    returning *`)
  const [row] = rowsOf(sessions, rows)
  if (row === undefined) throw new Error('A session was not written')
  return row
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

/** The owner of a session; `undefined` for an unknown, expired or revoked session, an ended token or a deleted user. */
export async function findSessionOwner(db: Database, hash: string): Promise<Principal | undefined> {
  const [row] = await liveSession(db).execute({ hash })
  if (row === undefined) return undefined
  const { id, userId, scopes, expiresAt, now } = row
  return { userId, scopes: scopes as Scope[], credential: { kind: 'session', id }, expiresAt, now: clockFrom(now) }
}

/** Revokes a session. @returns false when no unrevoked session was found */
export async function endSession(db: Database, which: { id: number } | { hash: string }): Promise<boolean> {
  const isSelected = 'id' in which ? eq(sessions.id, which.id) : eq(sessions.sessionHash, which.hash)
  const rows = await db
    .update(sessions)
    .set({ revokedAt: sql`now()` })
    .where(and(isSelected, isNull(sessions.revokedAt)))
    .returning({ id: sessions.id })
  return rows.length > 0
}
