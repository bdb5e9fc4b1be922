import { and, eq, isNull, sql } from 'drizzle-orm'
import { type Principal, type Scope, sessionSeconds } from '#domain/principal.ts'
import type { Database } from './connection/client.ts'
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

/** The owner of a token; `undefined` when it is unknown, expired or revoked, or its user deleted. */
export async function findTokenOwner(db: Database, hash: string): Promise<Principal | undefined> {
  const [row] = await liveToken(db).execute({ hash })
  if (row === undefined) return undefined
  const { id, userId, scopes, expiresAt, now } = row
  return { userId, scopes: scopes as Scope[], credential: { kind: 'token', id }, expiresAt, now: clockFrom(now) }
}

/** Ends a token, and with it the sessions it was exchanged for. @returns false when there is none to end */
export async function endToken(db: Database, which: { id: number } | { hash: string }): Promise<boolean> {
  const found = 'id' in which ? eq(tokens.id, which.id) : eq(tokens.tokenHash, which.hash)
  const rows = await db
    .update(tokens)
    .set({ revokedAt: sql`now()` })
    .where(and(found, isNull(tokens.revokedAt)))
    .returning({ id: tokens.id })
  return rows.length > 0
}

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
 * Inserts a session, and ends the oldest ones above `most`. The sessions that may have to end are looked for in the order of the
 * index that they are in, because Postgres might otherwise go through those of all users.
 */
export async function insertSession(
  db: Database,
  sessionHash: string,
  { userId, scopes, tokenId, expiresAt, most }: NewSession,
): Promise<{ id: number; expiresAt: Date }> {
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

/** The owner of a session; `undefined` when it is unknown, expired or revoked, its token ended, or its user deleted. */
export async function findSessionOwner(db: Database, hash: string): Promise<Principal | undefined> {
  const [row] = await liveSession(db).execute({ hash })
  if (row === undefined) return undefined
  const { id, userId, scopes, expiresAt, now } = row
  return { userId, scopes: scopes as Scope[], credential: { kind: 'session', id }, expiresAt, now: clockFrom(now) }
}

/** Ends a session. @returns false when there is none to end */
export async function endSession(db: Database, which: { id: number } | { hash: string }): Promise<boolean> {
  const found = 'id' in which ? eq(sessions.id, which.id) : eq(sessions.sessionHash, which.hash)
  const rows = await db
    .update(sessions)
    .set({ revokedAt: sql`now()` })
    .where(and(found, isNull(sessions.revokedAt)))
    .returning({ id: sessions.id })
  return rows.length > 0
}
