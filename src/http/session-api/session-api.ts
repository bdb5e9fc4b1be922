import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { trackMethods } from '#http/method-not-allowed.ts'
import { readJsonBodies, refuseTypes } from '#http/request-body/parsers.ts'
import { takeRawBodies } from '#http/request-body/raw-body.ts'
import {
  changeAttachmentRoute,
  deleteAttachmentRoute,
  downloadAttachmentRoute,
  getAttachmentRoute,
  listMessageAttachmentsRoute,
  reserveAttachmentRoute,
} from './attachments.ts'
import { requireSession } from './authenticate.ts'
import { setErrorHandlers } from './errors.ts'
import { createSessionRoute, deleteSessionRoute } from './sessions.ts'
import { uploadFormRoute, uploadReservedRoute } from './uploads.ts'

/** Seed 000: the cookie-session API. */
export function sessionApi(context: HttpContext) {
  return async (app: App): Promise<void> => {
    const methods = trackMethods(app)
    setErrorHandlers(app)
    readJsonBodies(app)
    refuseTypes(app, ['text/plain'])
    createSessionRoute(app, context)
    await app.register(async (authenticated: App) => {
      requireSession(authenticated, context)
      uploadFormRoute(authenticated, context)
      await authenticated.register(routesWithoutFiles(context))
      await authenticated.register(async (raw: App) => {
        takeRawBodies(raw)
        uploadReservedRoute(raw, context)
      })
    })
    methods.refuseOthers()
  }
}

/** The routes that accept JSON. They refuse a multipart body, which they would otherwise leave unread. */
function routesWithoutFiles(context: HttpContext) {
  return async (app: App): Promise<void> => {
    refuseTypes(app, ['multipart/form-data'])
    deleteSessionRoute(app, context)
    reserveAttachmentRoute(app, context)
    changeAttachmentRoute(app, context)
    listMessageAttachmentsRoute(app, context)
    getAttachmentRoute(app, context)
    downloadAttachmentRoute(app, context)
    deleteAttachmentRoute(app, context)
  }
}
