import fastify from 'fastify'
import type { Config } from '#config/config.ts'
import type { App } from '#http/app.ts'
import { loggerOptions, OneLineARequest } from '#http/logging.ts'
import { healthRoutes } from '#http/ops/health.ts'
import { metricsRoute } from '#http/ops/metrics.ts'
import type { DatabaseClient } from '#persistence/connection/client.ts'
import { watchServer } from '#recovery/watch-server.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { startWorkers } from '#workers/workers.ts'

export interface WorkerParts {
  config: Config
  database: DatabaseClient
  store: ObjectStore
  /** True once the process has been asked to stop. */
  isDraining?: () => boolean
}

/** Builds a process that runs only the workers, with health and metrics routes. Closing it ends the workers. */
export async function buildWorker(parts: WorkerParts): Promise<App> {
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
