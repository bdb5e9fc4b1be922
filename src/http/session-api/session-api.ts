import type { AppContext } from '#deps.ts'
import type { App } from '#http/app.ts'
import { noteMethods } from '#http/method-not-allowed.ts'
import { readJsonBodies } from '#http/request-body/json-body.ts'
import { takeRawBodies } from '#http/request-body/raw-body.ts'
import { refuseTypes } from '#http/request-body/refused-types.ts'
import { requireSession } from './authenticate.ts'
import { changeAttachmentRoute } from './change-attachment.ts'
import { createSessionRoute } from './create-session.ts'
import { deleteAttachmentRoute } from './delete-attachment.ts'
import { deleteSessionRoute } from './delete-session.ts'
import { downloadAttachmentRoute } from './download-attachment.ts'
import { setErrorHandlers } from './errors.ts'
import { getAttachmentRoute } from './get-attachment.ts'
import { listMessageAttachmentsRoute } from './list-message-attachments.ts'
import { reserveAttachmentRoute } from './reserve-attachment.ts'
import { uploadAttachmentsRoute } from './upload-attachments.ts'
import { uploadReservedRoute } from './upload-reserved.ts'

/** Seed 000: the cookie-session API. */
export function sessionApi(deps: AppContext) {
  return async (app: App): Promise<void> => {
    const methods = noteMethods(app)
    setErrorHandlers(app)
    readJsonBodies(app)
    refuseTypes(app, ['text/plain'])
    createSessionRoute(app, deps)
    await app.register(async (authenticated: App) => {
      requireSession(authenticated, deps)
      uploadAttachmentsRoute(authenticated, deps)
      await authenticated.register(routesWithoutFiles(deps))
      await authenticated.register(async (raw: App) => {
        takeRawBodies(raw)
        uploadReservedRoute(raw, deps)
      })
    })
    methods.answer()
  }
}

/** What takes JSON: a multipart body is refused rather than passed over unread. */
function routesWithoutFiles(deps: AppContext) {
  return async (app: App): Promise<void> => {
    refuseTypes(app, ['multipart/form-data'])
    deleteSessionRoute(app, deps)
    reserveAttachmentRoute(app, deps)
    changeAttachmentRoute(app, deps)
    listMessageAttachmentsRoute(app, deps)
    getAttachmentRoute(app, deps)
    downloadAttachmentRoute(app, deps)
    deleteAttachmentRoute(app, deps)
  }
}
