import { Server } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { App } from '#http/app.ts'

/** Milliseconds below which a turn of the event loop counts as idle. */
const idleTurn = 0.25

/** The longest wait for an idle turn, in milliseconds. */
const maxWait = 2_000

/**
 * Stops accepting connections. Open connections remain.
 *
 * The kernel resets connections that it has accepted and Node has not, and a load balancer cannot resend a POST that it sent over
 * one of them. Node accepts all waiting connections once per turn of its event loop. So listening ends right after a turn that was
 * too short for another connection to arrive.
 */
export async function stopListening(server: Server): Promise<void> {
  const deadline = performance.now() + maxWait
  let turn = performance.now()
  for (;;) {
    await setImmediate()
    const before = turn
    turn = performance.now()
    if (turn - before < idleTurn || turn > deadline) break
  }
  // The close() of an HTTP server would also end the idle connections.
  Server.prototype.close.call(server)
}

/**
 * Once the server has stopped listening, each response closes its connection, so that the load balancer sends no request over a
 * connection at the moment when the server closes it.
 */
export function endLastConnections(app: App): void {
  app.addHook('onRequest', async (_request, reply) => {
    if (!app.server.listening) reply.header('connection', 'close')
  })
}
