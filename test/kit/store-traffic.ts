import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Agent, ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import type { Test } from 'tap'

type KeepingAgent = Agent & { keepAlive: boolean }
type Request = ClientRequest & { agent: KeepingAgent }

/** What this process, and so a server in it, has open to the store. */
export interface StoreTraffic {
  /** Requests that have neither ended nor been broken off. */
  underWay(): number
  /** Connections that are open, idle ones included. */
  connections(): number
  /** Most connections that can be idle when all is well: no agent keeps more than it once needed at the same time. */
  mostIdle(): number
}

/** Watches from now on, until the test ends. Of this process only `fetch` is not seen. */
export function watchStoreTraffic(t: Test, endpoint: string): StoreTraffic {
  const { port, host } = new URL(endpoint)
  const requests = new Set<Request>()
  const sockets = new Set<Socket>()
  const peaks = new Map<KeepingAgent, number>()
  const onRequest = (message: unknown) => {
    const { request } = message as { request: Request }
    if (request.getHeader('host') !== host) return
    requests.add(request)
    request.once('close', () => requests.delete(request))
    const { agent } = request
    if (!agent.keepAlive) return
    const atOnce = [...requests].filter((one) => one.agent === agent).length
    peaks.set(agent, Math.max(atOnce, peaks.get(agent) ?? 0))
  }
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: Socket }
    socket.once('connect', () => {
      if (socket.remotePort === Number(port)) sockets.add(socket)
    })
    socket.once('close', () => sockets.delete(socket))
  }
  subscribe('http.client.request.created', onRequest)
  subscribe('net.client.socket', onSocket)
  t.teardown(() => {
    unsubscribe('http.client.request.created', onRequest)
    unsubscribe('net.client.socket', onSocket)
  })
  return {
    underWay: () => requests.size,
    connections: () => sockets.size,
    mostIdle: () => [...peaks.values()].reduce((sum, peak) => sum + peak, 0),
  }
}
