import type { FastifyRequest } from 'fastify'
import { findToken } from '#auth/tokens.ts'
import type { AppContext } from '#deps.ts'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import type { Principal } from '#domain/principal.ts'

const bearer = /^Bearer +([\w.~+/-]+=*) *$/i

/** Whose token the `Authorization` header carries (RFC 6750 section 2.1). @throws StowageError `unauthenticated` */
export async function bearerPrincipal({ db }: Pick<AppContext, 'db'>, { headers }: FastifyRequest): Promise<Principal> {
  const { authorization = '' } = headers
  const token = authorization.length > limits.text ? undefined : bearer.exec(authorization)?.[1]
  const principal = token === undefined ? undefined : await findToken(db, token)
  if (!principal)
    throw new StowageError(
      'unauthenticated',
      'The bearer token is missing, unknown, expired or revoked. Send a valid one.',
    )
  return principal
}
