import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A TCP proxy in front of a server that a test takes away and brings back. */
export interface TcpProxy {
  /** The server's URL, by way of the proxy. */
  url: string
  /** Breaks every connection and refuses new ones. */
  cut(): Promise<void>
  /** Takes connections again, at the same address. */
  restore(): Promise<void>
}

/** The proxy is gone when the test ends. */
export async function startTcpProxy(t: Test, target: string): Promise<TcpProxy> {
  const url = new URL(target)
  const { hostname, port } = url
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.pipe(to)
      // Either side may break off; the other is broken off with it.
      from.on('error', () => {})
      from.once('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  const listen = async (at: number) => {
    server.listen(at, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const cut = async () => {
    const closed = once(server, 'close')
    server.close()
    // Not reset: Node, when it ends, now and then waits for ever for what was being written to such a socket.
    for (const socket of sockets) socket.destroy()
    await closed
  }
  const ownPort = await listen(0)
  url.host = `127.0.0.1:${ownPort}`
  t.teardown(() => (server.listening ? cut() : undefined))
  return {
    url: url.href,
    cut,
    async restore() {
      await listen(ownPort)
    },
  }
}
