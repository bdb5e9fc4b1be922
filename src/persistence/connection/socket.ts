import { connect, isIP, type Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type postgres from 'postgres'
import { unavailable } from './errors.ts'

/** A database URL, as postgres.js reads it. */
export type ParsedUrl = postgres.ParsedOptions & { sslnegotiation?: string | null }

/** The request for TLS that comes before anything else (PostgreSQL manual, chapter "Message Formats"). */
const requestForTls = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

/**
 * Connects to one server of the URL, with TLS where the URL asks for it. postgres.js is handed the socket, because its own
 * connects anew without a pause when it is closed at once.
 * @param index of the server, when the URL names several
 * @param signal ends it, and the socket too when that is open by then
 * @throws what Node says of it, or DatabaseUnavailable
 */
export async function openSocket(url: ParsedUrl, index: number, signal: AbortSignal): Promise<Socket> {
  const host = url.host[index % url.host.length] as string
  const port = url.port[index % url.port.length] as number
  const socket = addAbortSignal(signal, url.path ? connect(url.path) : connect(port, host))
  // Under TLS, whatever becomes of it is told by the socket above.
  socket.on('error', () => {})
  await first(socket, 'connect')
  if (!url.ssl) return socket
  try {
    const isDirect = url.sslnegotiation === 'direct'
    if (!isDirect && !(await offersTls(socket))) {
      if (url.ssl === 'prefer') return socket
      throw unavailable('CONNECTION_LOST', `${host}:${port} offers no TLS`)
    }
    const servername = isIP(host) ? undefined : host
    const secure = connectTls({ socket, servername, ...(isDirect && { ALPNProtocols: ['postgresql'] }), ...trust(url) })
    await first(secure, 'secureConnect')
    return addAbortSignal(signal, secure)
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function offersTls(socket: Socket): Promise<boolean> {
  socket.write(requestForTls)
  const [answer] = await first<Buffer>(socket, 'data')
  return answer === 'S'.charCodeAt(0)
}

/** As postgres.js takes `ssl`: a word that does not verify, another that does, or options for Node. */
function trust({ ssl }: ParsedUrl): object {
  if (typeof ssl === 'object') return ssl
  return ['require', 'allow', 'prefer'].includes(String(ssl)) ? { rejectUnauthorized: false } : {}
}

/** The value of the next event; rejects when the socket ends before. */
function first<T>(socket: Socket, event: string): Promise<T> {
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
