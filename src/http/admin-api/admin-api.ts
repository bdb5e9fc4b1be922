import { requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import type { HttpContext } from '#http/http-context.ts'
import { createSessionRoute, createTokenRoute, deleteSessionRoute, deleteTokenRoute } from './credentials.ts'
import { deleteMessageRoute, putMessageRoute } from './messages.ts'
import { deleteMemberRoute, deleteRoomRoute, putMemberRoute, putRoomRoute } from './rooms.ts'
import { deleteUserRoute, putUserRoute } from './users.ts'

/** The routes with which the chat backend manages users, rooms, members, messages and credentials. They require the scope `admin`. */
export function adminApi(context: HttpContext) {
  return async (app: App): Promise<void> => {
    app.addHook('onRequest', async ({ principal }) => requireScope(principal, 'admin'))
    putUserRoute(app, context)
    deleteUserRoute(app, context)
    putRoomRoute(app, context)
    deleteRoomRoute(app, context)
    putMemberRoute(app, context)
    deleteMemberRoute(app, context)
    putMessageRoute(app, context)
    deleteMessageRoute(app, context)
    createTokenRoute(app, context)
    deleteTokenRoute(app, context)
    createSessionRoute(app, context)
    deleteSessionRoute(app, context)
  }
}
