import type { Deps } from '#deps.ts'
import { admitOnly } from '#http/admission/admission.ts'
import type { App } from '#http/app.ts'
import { bearerPrincipal } from '#http/bearer-token.ts'

/** Everything in `app` needs a bearer token. */
export function requireToken(app: App, deps: Deps): void {
  admitOnly(app, deps, (request) => bearerPrincipal(deps, request))
}
