import { createHash, randomBytes } from 'node:crypto'
import type { Principal } from '#domain/principal.ts'
import type { Database } from '#persistence/connection/client.ts'
import {
  endSession,
  endToken,
  findSessionOwner,
  findTokenOwner,
  insertSession,
  insertToken,
  type NewSession,
  type NewToken,
} from '#persistence/credentials.ts'

/** Creates a bearer token for a known user. The secret is returned once and stored nowhere. */
export async function createToken(db: Database, token: NewToken): Promise<{ id: number; token: string }> {
  const secret = newSecret()
  const { id } = await insertToken(db, hashSecret(secret), token)
  return { id, token: secret }
}

/** The owner of a token; `undefined` for an unknown, expired or revoked token, and for the token of a deleted user. */
export function findToken(db: Database, token: string): Promise<Principal | undefined> {
  return findTokenOwner(db, hashSecret(token))
}

/** Revokes a token and the sessions that it was exchanged for. @returns false when no active token matches */
export function revokeToken(db: Database, selector: { id: number } | { token: string }): Promise<boolean> {
  return endToken(db, 'id' in selector ? selector : { hash: hashSecret(selector.token) })
}

/** Creates a cookie session for a known user. The secret is returned once and stored nowhere. */
export async function createSession(
  db: Database,
  session: NewSession,
): Promise<{ id: number; session: string; expiresAt: Date }> {
  const secret = newSecret()
  const { id, expiresAt } = await insertSession(db, hashSecret(secret), session)
  return { id, session: secret, expiresAt }
}

/**
 * The owner of a session; `undefined` for an unknown, expired or revoked session, for the session of a token that has ended, and
 * for the session of a deleted user.
 */
export function findSession(db: Database, session: string): Promise<Principal | undefined> {
  return findSessionOwner(db, hashSecret(session))
}

/** Revokes a session. @returns false when no active session matches */
export function revokeSession(db: Database, selector: { id: number } | { session: string }): Promise<boolean> {
  return endSession(db, 'id' in selector ? selector : { hash: hashSecret(selector.session) })
}

/** The secret of a token or a session, as its owner holds it: 256 random bits in base64url. */
function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The SHA-256 of a secret in hex, as the database stores it. 256 random bits need neither a salt nor a slow hash. */
function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
