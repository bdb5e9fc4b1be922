import { promisify } from 'node:util'
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import multipart from '@fastify/multipart'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify from 'fastify'
import type { Config } from './config.ts'
import type { DatabaseClient } from './db/client.ts'
import type { Deps } from './deps.ts'
import { admit } from './http/admission.ts'
import type { App } from './http/app.ts'
import { bearerApi } from './http/bearer-api/bearer-api.ts'
import { answerErrors } from './http/bearer-api/errors.ts'
import { boundedServer } from './http/connections/http-server.ts'
import { getFileRoute } from './http/files/get-file.ts'
import { errorDocsRoute } from './http/ops/error-docs.ts'
import { healthRoutes } from './http/ops/health.ts'
import { metricsRoute } from './http/ops/metrics.ts'
import { setAnswerHeaders } from './http/plugins/answer-headers.ts'
import { answerBadUrl, brokenRequestHandler, closeWhenDraining, connectionOptions } from './http/plugins/connections.ts'
import { corsOptions } from './http/plugins/cors.ts'
import { earlyAnswer } from './http/plugins/early-answer.ts'
import { loggerOptions, OneLineARequest } from './http/plugins/logging.ts'
import { noteMethods } from './http/plugins/method-not-allowed.ts'
import { limitPlainBodies } from './http/plugins/plain-bodies.ts'
import { publicUrlOf } from './http/plugins/public-url.ts'
import { openRateLimits } from './http/plugins/rate-limits.ts'
import { Refusals } from './http/plugins/refusals.ts'
import { validationOptions } from './http/plugins/validation.ts'
import { sessionApi } from './http/session-api/session-api.ts'
import { type SlotLimits, Slots } from './lifecycle/slots.ts'
import { limits, type Patience } from './limits.ts'
import type { ObjectStore } from './store/object-store.ts'
import { watchServer } from './workers/watch-server.ts'
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
  /** How long clients may keep it waiting, where that is not what `limits` says. */
  patience?: Partial<Patience>
}

/** The whole server: what it is made of, in the order a request meets it. Closing it ends the workers; the parts are the caller's. */
export async function buildServer(parts: ServerParts): Promise<App> {
  const { config, database, store, urlSigningKey, isDraining = () => false, withWorkers = true } = parts
  const patience = { ...limits, ...parts.patience }
  const refusals = new Refusals()
  const app: App = fastify({
    ...connectionOptions,
    serverFactory: boundedServer({
      config,
      patience,
      log: () => app.log,
      onRefusal: (reason) => refusals.count(reason),
    }),
    clientErrorHandler: brokenRequestHandler(config),
    logger: loggerOptions(config.logLevel),
    logController: new OneLineARequest(),
    trustProxy: config.trustProxy.length > 0 ? config.trustProxy : false,
    ...validationOptions,
    frameworkErrors: (error, request, reply) => answerBadUrl(deps, error, request, reply),
  }).withTypeProvider<TypeBoxTypeProvider>()

  const uploads = new Slots(uploadSlots(config))
  const downloads = new Slots(downloadSlots(config))
  const deps: Deps = {
    config,
    db: database.db,
    store,
    urlSigningKey,
    log: app.log,
    publicUrl: publicUrlOf(app, config),
    patience,
    rates: await openRateLimits(app, config),
    takeUploadSlot: (owner) => uploads.take(owner),
    takeDownloadSlot: (...owners) => downloads.take(...owners),
    purgeSoon: () => workers?.purgeSoon(),
    finishDeletionsSoon: () => workers?.finishDeletionsSoon(),
  }
  const workers = withWorkers ? startWorkers(deps) : undefined
  // Asked before the connections are waited for, so that a worker that does not end takes no time of its own.
  app.addHook('preClose', async () => void workers?.stop())
  app.addHook('onClose', () => workers?.stop())
  app.decorate('uploadsEnded', () => uploads.allFree())

  setAnswerHeaders(app)
  closeWhenDraining(app, isDraining)
  const watch = watchServer(deps)
  app.addHook('onClose', () => watch.stop())
  await app.register(earlyAnswer, patience)
  await app.register(cors, corsOptions(config))
  await app.register(cookie)
  await app.register(multipart, { throwFileSizeLimit: false })
  admit(app, deps)
  limitPlainBodies(app, deps)

  refusals.watch(app)
  const connections = promisify(app.server.getConnections.bind(app.server))
  const methods = noteMethods(app)
  answerErrors(app, deps)
  healthRoutes(app, { database, store, isDraining })
  metricsRoute(app, { db: database.db, transfers: { uploads, downloads, connections, refusals: refusals.counts } })
  errorDocsRoute(app)
  getFileRoute(app, deps)
  await app.register(sessionApi(deps), { prefix: '/api/v1' })
  await app.register(bearerApi(deps), { prefix: '/v1' })
  methods.answer()
  return app
}

function uploadSlots({ maxConcurrentUploads: most, uploadsPerUser: perOwner }: Config): SlotLimits {
  return {
    most,
    perOwner,
    whenFull: 'Too many uploads at once. Try again in a few seconds.',
    whenTooMany: 'You have too many uploads under way. Send the next one when one of them has ended.',
  }
}

function downloadSlots({ maxConcurrentDownloads: most, downloadsPerUser: perOwner }: Config): SlotLimits {
  return {
    most,
    perOwner,
    whenFull: 'Too many downloads at once. Try again in a few seconds.',
    whenTooMany: 'Too many downloads at once, of yours or by this link. Try again when one of them has ended.',
  }
}
