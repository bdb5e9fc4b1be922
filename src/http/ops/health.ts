import type { App } from '#http/app.ts'
import { type Dependencies, watchReadiness } from './readiness.ts'

export interface Health extends Dependencies {
  /** True from the moment the server is asked to stop. */
  isDraining(): boolean
}

/** `GET /livez`: the process answers. `GET /readyz`: it can take work: database and store answer, and it is not stopping. */
export function healthRoutes(app: App, { isDraining, ...dependencies }: Health): void {
  const look = watchReadiness(dependencies, app.log)
  app.get('/livez', { logLevel: 'silent' }, async () => ({ status: 'ok' }))
  app.get('/readyz', { logLevel: 'silent' }, async (_request, reply) => {
    const { database, store } = await look()
    const draining = isDraining()
    const ready = database === undefined && store === undefined && !draining
    const checks = { database: word(database), store: word(store), draining }
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', ...checks })
  })
}

function word(reason: string | undefined): string {
  return reason === undefined ? 'ok' : 'unavailable'
}
