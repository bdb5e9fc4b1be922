import type { FastifyRequest } from 'fastify'
import { findToken } from '#auth/credentials.ts'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import type { Principal } from '#domain/principal.ts'
import { requireAuthentication } from '#http/admission/admission.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'

const bearer = /^Bearer +([\w.~+/-]+=*) *$/i

/** Requires a bearer token on all routes of `app`. */
export function requireToken(app: App, context: HttpContext): void {
  requireAuthentication(app, context, (request) => bearerPrincipal(context, request))
}

/**
 * The principal of the bearer token in the `Authorization` header (RFC 6750 section 2.1).
 * @throws StowageError `unauthenticated`
 */
export async function bearerPrincipal(
  { db }: Pick<HttpContext, 'db'>,
  { headers }: FastifyRequest,
): Promise<Principal> {
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
