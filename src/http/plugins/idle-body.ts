import type { App } from '../app.ts'
import { openTransfer } from '../forms/transfer.ts'

/**
 * Answers when a body that is read as a whole stops coming: no limit of Node's own is set for it, since that would hold
 * for uploads too. Those watch over themselves, as only they can tell a client that is silent from one that is held back.
 */
export function limitIdleBodies(app: App, idleSeconds: number): void {
  app.addHook('preParsing', async ({ raw, routeOptions }, reply, body) => {
    if (raw.complete || routeOptions.config.watchesOwnBody) return body
    const transfer = openTransfer(raw, idleSeconds)
    transfer.signal.addEventListener('abort', () => {
      if (!reply.sent) reply.send(transfer.signal.reason)
    })
    reply.raw.once('close', () => transfer[Symbol.dispose]())
    return body
  })
}
