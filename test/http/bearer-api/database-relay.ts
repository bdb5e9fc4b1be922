import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'
import { openDatabase } from '../../../src/db/client.ts'
import { buildServer } from '../../../src/server.ts'
import type { TestServer } from '../../support/server.ts'

/** The way from a server to its database, which can be cut. */
export interface DatabaseRelay {
  /** Every connection breaks, new ones too, as when the database stops. */
  stop(): void
  /** Connections stay open and new ones are taken, but no byte passes, as when a cable is pulled. */
  freeze(): void
  /** All is as before, on new connections. */
  mend(): void
}

/** A second replica of a server, with the same database and store, whose way to the database can be cut. */
export async function startReplica(t: Test, server: TestServer): Promise<DatabaseRelay & { url: string }> {
  const target = new URL(server.databaseUrl)
  const relay = await openRelay(t, Number(target.port || 5432), target.hostname)
  target.host = `127.0.0.1:${relay.port}`
  const database = openDatabase(target.href)
  const { config, store } = server
  const app = await buildServer({ config, database, store, urlSigningKey: 'k'.repeat(32) })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    app.server.closeAllConnections()
    relay.stop()
    await app.close()
    await database.close()
  })
  return { url, ...relay }
}

/** A way to a database, as it is when nothing is wrong. */
export async function openRelay(t: Test, port: number, host: string): Promise<DatabaseRelay & { port: number }> {
  const sockets = new Set<Socket>()
  let state: 'open' | 'stopped' | 'frozen' = 'open'
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on('data', (bytes) => state === 'frozen' || to.write(bytes))
    from.on('error', () => {})
    from.once('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer((near) => {
    if (state === 'stopped') return near.resetAndDestroy()
    const far = connect(port, host)
    pass(near, far)
    pass(far, near)
  })
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    breakAll()
  })
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      state = 'stopped'
      breakAll()
    },
    freeze() {
      state = 'frozen'
    },
    mend() {
      breakAll()
      state = 'open'
    },
  }
}
