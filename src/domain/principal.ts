import { StowageError } from './errors.ts'

export const allScopes = ['read', 'write', 'admin'] as const
export type Scope = (typeof allScopes)[number]

/** The token or session of a request, by the id of its row. */
export interface Credential {
  kind: 'token' | 'session'
  id: number
}

/** Milliseconds since 1970. */
export type Clock = () => number

/** The authenticated user and the scopes of the credential. `auth/permissions.ts` decides on the rights in a room. */
export interface Principal {
  userId: number
  scopes: readonly Scope[]
  credential: Credential
  /** The expiry of the credential; `null`: valid until revoked. */
  expiresAt: Date | null
  /** The database's clock, read together with the credential. */
  now: Clock
}

/** The actor of a transition, as the history names the user. */
export function actorOf({ userId }: Principal): string {
  return `user:${userId}`
}

/** @throws StowageError `forbidden` unless the credential carries one of the scopes */
export function requireScope(principal: Principal, ...anyOf: Scope[]): void {
  if (!anyOf.some((scope) => principal.scopes.includes(scope)))
    throw new StowageError(
      'forbidden',
      `This needs the scope ${anyOf.join(' or ')}. Ask for a credential that carries it.`,
    )
}

/** Default lifetime of a session in seconds: 30 days. */
export const sessionSeconds = 30 * 86_400
