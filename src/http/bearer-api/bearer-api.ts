import formBody from '@fastify/formbody'
import { adminApi } from '#http/admin-api/admin-api.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { trackMethods } from '#http/method-not-allowed.ts'
import { parseUrlEncoded, readJsonBodies, refuseTypes } from '#http/request-body/parsers.ts'
import {
  deleteAttachmentRoute,
  getAttachmentRoute,
  listAttachmentsRoute,
  updateAttachmentRoute,
} from './attachments.ts'
import { requireToken } from './authenticate.ts'
import { setErrorHandlers } from './errors.ts'
import { createAttachmentRoute } from './uploads.ts'

/** Seed 001: the bearer-token API, with the admin API of the chat backend under the same prefix. */
export function bearerApi(context: HttpContext) {
  return async (app: App): Promise<void> => {
    const methods = trackMethods(app)
    setErrorHandlers(app, context)
    readJsonBodies(app)
    refuseTypes(app, ['text/plain'])
    await app.register(formBody, { parser: parseUrlEncoded })
    await app.register(async (authenticated: App) => {
      requireToken(authenticated, context)
      createAttachmentRoute(authenticated, context)
      await authenticated.register(routesWithoutFiles(context))
    })
    methods.refuseOthers()
  }
}

/** The routes that accept JSON or an encoded form. They refuse a multipart body, which they would otherwise leave unread. */
function routesWithoutFiles(context: HttpContext) {
  return async (app: App): Promise<void> => {
    refuseTypes(app, ['multipart/form-data'])
    listAttachmentsRoute(app, context)
    getAttachmentRoute(app, context)
    updateAttachmentRoute(app, context)
    deleteAttachmentRoute(app, context)
    await app.register(adminApi(context))
  }
}
