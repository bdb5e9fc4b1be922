import formBody from '@fastify/formbody'
import type { AppContext } from '#deps.ts'
import { adminRoutes } from '#http/admin-api/admin-api.ts'
import type { App } from '#http/app.ts'
import { noteMethods } from '#http/method-not-allowed.ts'
import { readJsonBodies } from '#http/request-body/json-body.ts'
import { refuseTypes } from '#http/request-body/refused-types.ts'
import { parseUrlEncoded } from '#http/request-body/url-encoded-body.ts'
import { requireToken } from './authenticate.ts'
import { createAttachmentRoute } from './create-attachment.ts'
import { deleteAttachmentRoute } from './delete-attachment.ts'
import { setErrorHandlers } from './errors.ts'
import { getAttachmentRoute } from './get-attachment.ts'
import { listAttachmentsRoute } from './list-attachments.ts'
import { updateAttachmentRoute } from './update-attachment.ts'

/** Seed 001: the bearer-token API, and beside it what the chat backend tells Stowage. */
export function bearerApi(deps: AppContext) {
  return async (app: App): Promise<void> => {
    const methods = noteMethods(app)
    setErrorHandlers(app, deps)
    readJsonBodies(app)
    refuseTypes(app, ['text/plain'])
    await app.register(formBody, { parser: parseUrlEncoded })
    await app.register(async (authenticated: App) => {
      requireToken(authenticated, deps)
      createAttachmentRoute(authenticated, deps)
      await authenticated.register(routesWithoutFiles(deps))
    })
    methods.answer()
  }
}

/** What takes JSON or an encoded form: a multipart body is refused rather than passed over unread. */
function routesWithoutFiles(deps: AppContext) {
  return async (app: App): Promise<void> => {
    refuseTypes(app, ['multipart/form-data'])
    listAttachmentsRoute(app, deps)
    getAttachmentRoute(app, deps)
    updateAttachmentRoute(app, deps)
    deleteAttachmentRoute(app, deps)
    await app.register(adminRoutes(deps))
  }
}
