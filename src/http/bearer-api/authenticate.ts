import type { AppContext } from '#deps.ts'
import { requireAuthentication } from '#http/admission/admission.ts'
import type { App } from '#http/app.ts'
import { bearerPrincipal } from '#http/bearer-token.ts'

/** Everything in `app` needs a bearer token. */
export function requireToken(app: App, deps: AppContext): void {
  requireAuthentication(app, deps, (request) => bearerPrincipal(deps, request))
}
