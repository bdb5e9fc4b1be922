import { promisify } from 'node:util'
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import multipart from '@fastify/multipart'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify from 'fastify'
import type { AppParts } from '#app-context.ts'
import { type ClientTimeouts, limits } from '#domain/limits.ts'
import { downloadSlots, TransferSlots, uploadSlots } from '#domain/transfer-slots.ts'
import { admit, admitPreflights } from '#http/admission/admission.ts'
import { openRateLimits } from '#http/admission/rate-limits.ts'
import { Refusals } from '#http/admission/refusals.ts'
import { type App, publicUrlOf } from '#http/app.ts'
import { bearerApi } from '#http/bearer-api/bearer-api.ts'
import { setErrorHandlers } from '#http/bearer-api/errors.ts'
import { answerBadUrl, brokenRequestHandler } from '#http/connections/broken-requests.ts'
import { boundedServer } from '#http/connections/http-server.ts'
import { lingeringClose } from '#http/connections/lingering-close.ts'
import { endLastConnections } from '#http/connections/stop-listening.ts'
import { getFileRoute } from '#http/files.ts'
import type { HttpContext } from '#http/http-context.ts'
import { loggerOptions, OneLineARequest } from '#http/logging.ts'
import { trackMethods } from '#http/method-not-allowed.ts'
import { errorDocsRoute } from '#http/ops/error-docs.ts'
import { type Health, healthRoutes } from '#http/ops/health.ts'
import { metricsRoute, type Transfers } from '#http/ops/metrics.ts'
import { limitPlainBodies } from '#http/request-body/plain-bodies.ts'
import { corsOptions, setDefaultHeaders } from '#http/response-headers.ts'
import { connectionOptions, validationOptions } from '#http/server-options.ts'
import { sessionApi } from '#http/session-api/session-api.ts'
import { watchServer } from '#recovery/watch-server.ts'
import { startWorkers } from '#workers/workers.ts'

export interface ServerParts extends AppParts {
  urlSigningKey: string
  /** Whether the workers run in this process, which is the default. Otherwise they run in another process: see `worker.ts`. */
  withWorkers?: boolean
  /** The client timeouts that differ from `limits`, in milliseconds. */
  timeouts?: Partial<ClientTimeouts>
}

/**
 * Builds the server from its parts, in the order in which a request meets them. Closing the server ends the workers. The caller
 * closes the database and the store.
 */
export async function buildServer(parts: ServerParts): Promise<App> {
  const { config, database, store, isDraining = () => false } = parts
  const timeouts = { ...limits, ...parts.timeouts }
  const refusals = new Refusals()
  const app: App = fastify({
    ...connectionOptions,
    serverFactory: boundedServer({
      config,
      timeouts,
      log: () => app.log,
      onRefusal: (reason) => refusals.count(reason),
    }),
    clientErrorHandler: brokenRequestHandler(config),
    logger: loggerOptions(config.logLevel),
    logController: new OneLineARequest(),
    trustProxy: config.trustProxy.length > 0 ? config.trustProxy : false,
    ...validationOptions,
    frameworkErrors: (error, request, reply) => answerBadUrl(context, error, request, reply),
  }).withTypeProvider<TypeBoxTypeProvider>()

  const uploads = new TransferSlots(uploadSlots(config.maxConcurrentUploads, config.uploadsPerUser))
  const downloads = new TransferSlots(downloadSlots(config.maxConcurrentDownloads, config.downloadsPerUser))
  const workers = startWorkers({ config, db: database.db, store, log: app.log }, parts.withWorkers)
  const context: HttpContext = {
    ...{ config, db: database.db, store, log: app.log, timeouts },
    urlSigningKey: parts.urlSigningKey,
    publicUrl: publicUrlOf(app, config),
    rates: await openRateLimits(app, config),
    takeUploadSlot: (owner) => uploads.take(owner),
    takeDownloadSlot: (...owners) => downloads.take(...owners),
    wakePurge: workers.wakePurge,
    wakeDeletions: workers.wakeDeletions,
  }
  const watch = watchServer(context)
  // The workers stop while the connections drain, so that a slow worker adds no time of its own.
  app.addHook('preClose', async () => void workers.stop())
  app.addHook('onClose', async () => void (await Promise.all([workers.stop(), watch.stop()])))
  app.decorate('uploadsEnded', () => uploads.allFree())

  setDefaultHeaders(app)
  endLastConnections(app)
  await app.register(lingeringClose, timeouts)
  admitPreflights(app, context)
  await app.register(cors, corsOptions(config))
  await app.register(cookie)
  await app.register(multipart, { throwFileSizeLimit: false })
  admit(app, context)
  limitPlainBodies(app, context)
  refusals.watch(app)

  const connections = promisify(app.server.getConnections.bind(app.server))
  const transfers = { uploads, downloads, connections, refusals: refusals.counts }
  await addRoutes(app, context, { database, store, isDraining }, transfers)
  return app
}

async function addRoutes(app: App, context: HttpContext, health: Health, transfers: Transfers): Promise<void> {
  const methods = trackMethods(app)
  setErrorHandlers(app, context)
  healthRoutes(app, health)
  metricsRoute(app, { db: context.db, transfers })
  errorDocsRoute(app)
  getFileRoute(app, context)
  await app.register(sessionApi(context), { prefix: '/api/v1' })
  await app.register(bearerApi(context), { prefix: '/v1' })
  methods.refuseOthers()
}
