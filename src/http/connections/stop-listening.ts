import { Server } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { App } from '#http/app.ts'

/** A turn of the event loop in which there was nothing to do takes less, in milliseconds. */
const idleTurn = 0.25

/** For how long an idle turn is waited for, in milliseconds. */
const longestWait = 2_000

/**
 * Takes no new connection from now on. Those that are there stay.
 *
 * The kernel resets the connections that it has taken and Node has not, and a load balancer that has sent a POST over one cannot
 * send it again. Node takes all that wait once in each turn of its event loop. So listening ends right after a turn that was
 * too short for another connection to come.
 */
export async function stopListening(server: Server): Promise<void> {
  const latest = performance.now() + longestWait
  let turn = performance.now()
  for (;;) {
    await setImmediate()
    const before = turn
    turn = performance.now()
    if (turn - before < idleTurn || turn > latest) break
  }
  // The close() of an HTTP server would also end the idle connections.
  Server.prototype.close.call(server)
}

/**
 * Once the server takes no new connection, each answer ends its own, so that the load balancer has none left that it could send
 * a request over just when the server closes it.
 */
export function endLastConnections(app: App): void {
  app.addHook('onRequest', async (_request, reply) => {
    if (!app.server.listening) reply.header('connection', 'close')
  })
}
