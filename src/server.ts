import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import multipart from '@fastify/multipart'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify from 'fastify'
import type { Config } from './config.ts'
import type { DatabaseClient } from './db/client.ts'
import type { Deps } from './deps.ts'
import type { App } from './http/app.ts'
import { bearerApi } from './http/bearer-api/bearer-api.ts'
import { answerErrors } from './http/bearer-api/errors.ts'
import { getFileRoute } from './http/files/get-file.ts'
import { errorDocsRoute } from './http/ops/error-docs.ts'
import { healthRoutes } from './http/ops/health.ts'
import { metricsRoute } from './http/ops/metrics.ts'
import { answerBadUrl, closeWhenDraining, connectionOptions } from './http/plugins/connections.ts'
import { corsOptions } from './http/plugins/cors.ts'
import { earlyAnswer } from './http/plugins/early-answer.ts'
import { loggerOptions, OneLineARequest } from './http/plugins/logging.ts'
import { noteMethods } from './http/plugins/method-not-allowed.ts'
import { publicUrlOf } from './http/plugins/public-url.ts'
import { sessionApi } from './http/session-api/session-api.ts'
import { UploadSlots } from './lifecycle/upload-slots.ts'
import type { ObjectStore } from './store/object-store.ts'
import { startWorkers } from './workers/workers.ts'

export interface ServerParts {
  config: Config
  database: DatabaseClient
  store: ObjectStore
  urlSigningKey: string
  /** From the moment the server is asked to stop. */
  isDraining?: () => boolean
  /** Whether the workers run in this process; otherwise in another one, see `worker.ts`. */
  withWorkers?: boolean
}

/** The whole server: what it is made of, in the order a request meets it. Closing it ends the workers; the parts are the caller's. */
export async function buildServer(parts: ServerParts): Promise<App> {
  const { config, database, store, urlSigningKey, isDraining = () => false, withWorkers = true } = parts
  const app: App = fastify({
    ...connectionOptions,
    logger: loggerOptions(config.logLevel),
    logController: new OneLineARequest(),
    trustProxy: config.trustProxy.length > 0 ? config.trustProxy : false,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    frameworkErrors: (error, request, reply) => answerBadUrl(deps, error, request, reply),
  }).withTypeProvider<TypeBoxTypeProvider>()

  const slots = new UploadSlots(config.maxConcurrentUploads)
  const deps: Deps = {
    config,
    db: database.db,
    store,
    urlSigningKey,
    log: app.log,
    publicUrl: publicUrlOf(app, config),
    takeUploadSlot: () => slots.take(),
    purgeSoon: () => workers?.purgeSoon(),
  }
  const workers = withWorkers ? startWorkers(deps) : undefined
  // Asked before the connections are waited for, so that a worker that does not end takes no time of its own.
  app.addHook('preClose', async () => void workers?.stop())
  app.addHook('onClose', () => workers?.stop())
  app.decorate('uploadsEnded', () => slots.allFree())

  closeWhenDraining(app, isDraining)
  await app.register(earlyAnswer)
  await app.register(cors, corsOptions(config))
  await app.register(cookie)
  await app.register(multipart, { throwFileSizeLimit: false })

  const methods = noteMethods(app)
  answerErrors(app, deps)
  healthRoutes(app, { database, store, isDraining })
  metricsRoute(app, { db: database.db, slots })
  errorDocsRoute(app)
  getFileRoute(app, deps)
  await app.register(sessionApi(deps), { prefix: '/api/v1' })
  await app.register(bearerApi(deps), { prefix: '/v1' })
  methods.answer()
  return app
}
