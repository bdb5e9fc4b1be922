import fastify from 'fastify'
import type { AppParts } from '#app-context.ts'
import type { App } from '#http/app.ts'
import { loggerOptions, OneLineARequest } from '#http/logging.ts'
import { healthRoutes } from '#http/ops/health.ts'
import { metricsRoute } from '#http/ops/metrics.ts'
import { watchServer } from '#recovery/watch-server.ts'
import { startWorkers } from '#workers/workers.ts'

/** Builds a process that runs only the workers, with health and metrics routes. Closing it ends the workers. */
export async function buildWorker(parts: AppParts): Promise<App> {
  const { config, database, store, isDraining = () => false } = parts
  const app: App = fastify({
    logger: loggerOptions(config.logLevel),
    logController: new OneLineARequest(),
    forceCloseConnections: true,
  })
  const workers = startWorkers({ config, db: database.db, store, log: app.log })
  app.addHook('preClose', async () => void workers.stop())
  app.addHook('onClose', () => workers.stop())
  healthRoutes(app, { database, store, isDraining })
  metricsRoute(app, { db: database.db })
  const watch = watchServer({ config, db: database.db, log: app.log })
  app.addHook('onClose', () => watch.stop())
  return app
}
