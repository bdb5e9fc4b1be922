import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'

type LineState = 'open' | 'refused' | 'closed' | 'frozen'

/** A TCP line to a server, which a test can cut, freeze, delay and mend. Its port stays the same. */
export interface TcpLine {
  /** The URL of the server, by way of the line. */
  url: string
  /** Connections that have been taken so far. */
  readonly taken: number
  /** Connections that are open at present. */
  readonly open: number
  /** Breaks every connection and resets new ones (RST), as when the server stops. */
  refuse(): void
  /** Ends every connection with a FIN, and new ones as soon as they are made. */
  close(): void
  /** Connections stay open and new ones are taken, but no byte passes, as when packets are dropped. */
  freeze(): void
  /** Resets every connection (RST); new ones are taken. */
  reset(): void
  /** Ends every connection with a FIN, after the bytes under way have arrived; new ones are taken. */
  finish(): void
  /** Each byte arrives this many milliseconds later from here on, in both directions. */
  delay(milliseconds: number): void
  /** New connections pass undisturbed; those from before are broken. */
  mend(): void
}

export interface TcpLineOptions {
  /** Called for each connection. The function that it returns is told what the server sends. */
  readReplies?: () => (bytes: Buffer) => void
}

/**
 * Opens a line, which is gone when the test ends.
 * @param target the URL of the server
 */
export async function openTcpLine(t: Test, target: string, { readReplies }: TcpLineOptions = {}): Promise<TcpLine> {
  const url = new URL(target)
  const destination = { port: Number(url.port || (url.protocol === 'http:' ? 80 : 5432)), host: url.hostname }
  const sockets = new Set<Socket>()
  let state: LineState = 'open'
  let latency = 0
  let taken = 0

  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    // Otherwise each short piece waits for the acknowledgement of the one before, which is 40 ms late.
    from.setNoDelay(true)
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
    const far = connect({ ...destination, allowHalfOpen: true })
    if (readReplies) far.on('data', readReplies())
    pass(near, far)
    pass(far, near)
  })
  // Not reset: Node, when it ends, sometimes waits for ever for the bytes that were being written to such a socket.
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  const endAll = () => {
    for (const socket of sockets) socket.end()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    breakAll()
  })
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: url.href,
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
      endAll()
    },
    freeze() {
      state = 'frozen'
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    finish: endAll,
    delay(milliseconds) {
      latency = milliseconds
    },
    mend() {
      breakAll()
      state = 'open'
    },
  }
}
