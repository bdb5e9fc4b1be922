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

/** Mints a bearer token for a known user. The secret is returned this once and kept nowhere. */
export async function createToken(db: Database, token: NewToken): Promise<{ id: number; token: string }> {
  const secret = newSecret()
  const { id } = await insertToken(db, hashSecret(secret), token)
  return { id, token: secret }
}

/** The owner of a token; `undefined` when it is unknown, expired or revoked, or its user deleted. */
export function findToken(db: Database, token: string): Promise<Principal | undefined> {
  return findTokenOwner(db, hashSecret(token))
}

/** Ends a token, and with it the sessions it was exchanged for. @returns false when there is none to end */
export function revokeToken(db: Database, which: { id: number } | { token: string }): Promise<boolean> {
  return endToken(db, 'id' in which ? which : { hash: hashSecret(which.token) })
}

/** Mints a cookie session for a known user. The secret is returned this once and kept nowhere. */
export async function createSession(
  db: Database,
  session: NewSession,
): Promise<{ id: number; session: string; expiresAt: Date }> {
  const secret = newSecret()
  const { id, expiresAt } = await insertSession(db, hashSecret(secret), session)
  return { id, session: secret, expiresAt }
}

/** The owner of a session; `undefined` when it is unknown, expired or revoked, its token ended, or its user deleted. */
export function findSession(db: Database, session: string): Promise<Principal | undefined> {
  return findSessionOwner(db, hashSecret(session))
}

/** Ends a session. @returns false when there is none to end */
export function revokeSession(db: Database, which: { id: number } | { session: string }): Promise<boolean> {
  return endSession(db, 'id' in which ? which : { hash: hashSecret(which.session) })
}

/** 256 random bits, in base64url: a session or a token as its owner holds it. */
function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The form in which the database keeps a secret: its sha256, in hex. 256 random bits need no salt and no slow hash. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
