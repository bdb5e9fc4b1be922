import { StowageError } from './errors.ts'

export const allScopes = ['read', 'write', 'admin'] as const
export type Scope = (typeof allScopes)[number]

/** The token or session that a request came with, by the id of its row. */
export interface Credential {
  kind: 'token' | 'session'
  id: number
}

/** Milliseconds since 1970. */
export type Clock = () => number

/** Who asks, and what they may do at all. What they may do where is decided by their rooms: `membership.ts`. */
export interface Principal {
  userId: number
  scopes: readonly Scope[]
  /** The token or session of the request. */
  credential: Credential
  /** The end of that credential. */
  expiresAt: Date | null
  /** The database's clock, as it was read with the credential. */
  now: Clock
}

/** How the history names them. */
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

/** How long a session lasts unless it says otherwise, in seconds: 30 days. */
export const sessionSeconds = 30 * 86_400
