import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { Test } from 'tap'

/** Counts the open sockets of this process to a port, from now on until the test ends. */
export function watchSockets(t: Test, port: number): () => number {
  const sockets = new Set<Socket>()
  const note = (message: unknown) => {
    const { socket } = message as { socket: Socket }
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  subscribe('net.client.socket', note)
  t.teardown(() => unsubscribe('net.client.socket', note))
  return () => [...sockets].filter((socket) => socket.remotePort === port).length
}
