import { connect, isIP, type Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type postgres from 'postgres'
import { unavailable } from './errors.ts'

/** A database URL, as parsed by postgres.js. */
export type ParsedUrl = postgres.ParsedOptions & { sslnegotiation?: string | null }

/** The message SSLRequest, which precedes all other messages (PostgreSQL manual, chapter "Message Formats"). */
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

/**
 * Connects to one server of the URL, with TLS if the URL asks for it. The socket is for postgres.js, whose own socket
 * reconnects without a pause when the server closes it at once.
 * @param index index of the server, for a URL with several servers
 * @param signal aborts the attempt, and destroys an open socket
 * @throws an error of Node; DatabaseUnavailable
 */
export async function openSocket(url: ParsedUrl, index: number, signal: AbortSignal): Promise<Socket> {
  const host = url.host[index % url.host.length] as string
  const port = url.port[index % url.port.length] as number
  const socket = addAbortSignal(signal, url.path ? connect(url.path) : connect(port, host))
  // Under TLS, the TLS socket reports the errors.
  socket.on('error', () => {})
  await nextEvent(socket, 'connect')
  if (!url.ssl) return socket
  try {
    const isDirect = url.sslnegotiation === 'direct'
    if (!isDirect && !(await offersTls(socket))) {
      if (url.ssl === 'prefer') return socket
      throw unavailable('CONNECTION_LOST', `${host}:${port} offers no TLS`)
    }
    const servername = isIP(host) ? undefined : host
    const secure = connectTls({
      socket,
      servername,
      ...(isDirect && { ALPNProtocols: ['postgresql'] }),
      ...tlsOptions(url),
    })
    await nextEvent(secure, 'secureConnect')
    return addAbortSignal(signal, secure)
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function offersTls(socket: Socket): Promise<boolean> {
  socket.write(sslRequest)
  const [response] = await nextEvent<Buffer>(socket, 'data')
  return response === 'S'.charCodeAt(0)
}

/** The TLS options for `ssl` of postgres.js: a mode without verification, a mode with it, or options of Node. */
function tlsOptions({ ssl }: ParsedUrl): object {
  if (typeof ssl === 'object') return ssl
  return ['require', 'allow', 'prefer'].includes(String(ssl)) ? { rejectUnauthorized: false } : {}
}

/** The value of the next event. Rejects when the socket ends first. */
function nextEvent<T>(socket: Socket, event: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(unavailable('CONNECTION_LOST', 'The database closed the connection at once'))
    const settle = (act: () => void) => {
      socket.off(event, done).off('error', failed).off('close', closed)
      act()
    }
    const done = (value: T) => settle(() => resolve(value))
    const failed = (error: Error) => settle(() => reject(error))
    socket.once(event, done).once('error', failed).once('close', closed)
  })
}
