import type { Deps } from '../../deps.ts'
import type { App } from '../app.ts'
import { bearerPrincipal } from '../bearer-token.ts'

/** Everything in `app` needs a bearer token. */
export function requireToken(app: App, deps: Deps): void {
  app.decorateRequest('principal')
  app.addHook('onRequest', async (request) => {
    request.principal = await bearerPrincipal(deps, request)
  })
}
