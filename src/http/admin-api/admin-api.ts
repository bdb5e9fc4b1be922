import type { AppContext } from '#deps.ts'
import { requireScope } from '#domain/principal.ts'
import type { App } from '#http/app.ts'
import { createSessionRoute } from './create-session.ts'
import { createTokenRoute } from './create-token.ts'
import { deleteMemberRoute } from './delete-member.ts'
import { deleteMessageRoute } from './delete-message.ts'
import { deleteRoomRoute } from './delete-room.ts'
import { deleteSessionRoute } from './delete-session.ts'
import { deleteTokenRoute } from './delete-token.ts'
import { deleteUserRoute } from './delete-user.ts'
import { putMemberRoute } from './put-member.ts'
import { putMessageRoute } from './put-message.ts'
import { putRoomRoute } from './put-room.ts'
import { putUserRoute } from './put-user.ts'

/** What the chat backend tells Stowage: who is where, and who may come with which credential. All of it needs `admin`. */
export function adminRoutes(deps: AppContext) {
  return async (app: App): Promise<void> => {
    app.addHook('onRequest', async ({ principal }) => requireScope(principal, 'admin'))
    putUserRoute(app, deps)
    deleteUserRoute(app, deps)
    putRoomRoute(app, deps)
    deleteRoomRoute(app, deps)
    putMemberRoute(app, deps)
    deleteMemberRoute(app, deps)
    putMessageRoute(app, deps)
    deleteMessageRoute(app, deps)
    createTokenRoute(app, deps)
    deleteTokenRoute(app, deps)
    createSessionRoute(app, deps)
    deleteSessionRoute(app, deps)
  }
}
