import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'

/** What happens to connections: `refused` as when nothing listens there, `closed` a FIN as soon as one is made. */
export type LineState = 'open' | 'refused' | 'closed' | 'frozen'

/** A TCP line to a server, which a test can cut, freeze, delay and mend. Its port stays the same. */
export interface TcpLine {
  port: number
  /** How many connections have been taken so far. */
  readonly taken: number
  /** How many connections are open now. */
  readonly open: number
  /** Breaks every connection and resets new ones, as when the server stops. */
  refuse(): void
  /** Ends every connection with a FIN, and new ones as soon as they are made. */
  close(): void
  /** Connections stay open and new ones are taken, but no byte passes, as when packets are dropped. */
  freeze(): void
  /** Resets every connection (RST); new ones are taken. */
  reset(): void
  /** Ends every connection with a FIN, after what was under way has arrived; new ones are taken. */
  finish(): void
  /** From now on each byte arrives this many milliseconds later, in both directions. */
  delay(milliseconds: number): void
  /** All is as before, on new connections. */
  mend(): void
}

/** The line is gone when the test ends. */
export async function openTcpLine(t: Test, port: number, host = '127.0.0.1'): Promise<TcpLine> {
  const sockets = new Set<Socket>()
  let state: LineState = 'open'
  let latency = 0
  let taken = 0

  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    const arrive = async (act: () => void) => {
      if (latency > 0) await delay(latency)
      if (state !== 'frozen') act()
    }
    from.on('data', (bytes) => void arrive(() => to.writable && to.write(bytes)))
    from.once('end', () => void arrive(() => to.end()))
    from.on('error', () => {})
    from.once('close', () => {
      sockets.delete(from)
      if (state !== 'frozen') to.destroySoon()
    })
  }
  const server = createServer({ allowHalfOpen: true }, (near) => {
    taken += 1
    near.on('error', () => {})
    if (state === 'refused') return void near.resetAndDestroy()
    if (state === 'closed') return void near.end().resume()
    const far = connect({ port, host, allowHalfOpen: true })
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
    get taken() {
      return taken
    },
    get open() {
      return sockets.size / 2
    },
    refuse() {
      state = 'refused'
      breakAll()
    },
    close() {
      state = 'closed'
      for (const socket of sockets) socket.end()
    },
    freeze() {
      state = 'frozen'
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    finish() {
      for (const socket of sockets) socket.end()
    },
    delay(milliseconds) {
      latency = milliseconds
    },
    mend() {
      breakAll()
      state = 'open'
    },
  }
}
