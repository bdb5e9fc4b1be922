import type { Socket } from 'node:net'
import postgres from 'postgres'
import { limits } from '#domain/limits.ts'
import { asUnavailable, type DatabaseUnavailable, unavailable } from './errors.ts'
import { openSocket, type ParsedUrl } from './socket.ts'

/** The protocol message Terminate. */
const terminateMessage = Buffer.from([88, 0, 0, 0, 4])

/** Milliseconds for the server to close its side. */
const terminateTimeout = 1_000

/** Milliseconds that a transaction may be idle before Postgres ends it. */
const idleInTransaction = 30_000

/** The options for the connections of a pool. */
export interface ConnectionOptions {
  /** `postgres://user:password@host:port/database` */
  url: string
  /** The parsed URL. */
  parsed: ParsedUrl
  /** Parsers and serializers by the number of the type, as set by drizzle. */
  types: Pick<ParsedUrl, 'parsers' | 'serializers'>
}

/**
 * One connection to Postgres over one socket. The connection ends with the socket. postgres.js alone would reconnect with
 * messages of the old connection in its buffers. It would take the first response on the new connection for the response
 * to a statement of the old one, and return an empty list. Therefore postgres.js gets a single socket, and statements
 * without a response fail as soon as the socket is lost.
 */
export class Connection {
  readonly openedAt = performance.now()
  /** When the connection was last released, by `performance.now()`. */
  idleSince = this.openedAt
  /** The connection is closed when it is released. */
  isRetired = false
  readonly #socket: Socket
  readonly #sql: postgres.Sql
  readonly #waiting = new Set<(error: DatabaseUnavailable) => void>()
  #loss: DatabaseUnavailable | undefined

  private constructor(socket: Socket, { url, types }: ConnectionOptions) {
    this.#socket = socket
    // These listeners are registered before those of postgres.js, so that statements fail with the error of this class.
    socket.once('error', (error) => this.#lose(asUnavailable(error)))
    socket.once('close', () => this.#lose(unavailable('CONNECTION_LOST', 'The database closed the connection')))
    this.#sql = postgres(url, {
      max: 1,
      // A pooler responds out of order to a message that is sent before the previous response.
      max_pipeline: 0,
      ssl: false,
      socket: provideOnce(socket),
      connect_timeout: 0,
      idle_timeout: 0,
      max_lifetime: null,
      onnotice: () => {},
      // With this query for types, postgres.js crashes the process when a new connection is lost at once.
      fetch_types: false,
      connection: { application_name: 'stowage' },
    } as postgres.Options<Record<string, never>>)
    Object.assign(this.#sql.options.parsers, types.parsers)
    Object.assign(this.#sql.options.serializers, types.serializers)
  }

  /**
   * Connects, logs in and applies the settings of the session.
   * @param index index of the server, for a URL with several servers
   * @param signal aborts the attempt
   * @throws an error of Node, TLS or Postgres; DatabaseUnavailable
   */
  static async open(options: ConnectionOptions, index: number, signal: AbortSignal): Promise<Connection> {
    const connection = new Connection(await openSocket(options.parsed, index, signal), options)
    try {
      await connection.run((sql) => sql.unsafe(sessionSetup(options.parsed)), performance.now() + limits.connect)
      return connection
    } catch (error) {
      connection.destroy(asUnavailable(error))
      throw error
    }
  }

  /** Whether the socket can still be written to. */
  get isUsable(): boolean {
    return this.#loss === undefined && this.#socket.writable
  }

  /** Calls `act` once, when the socket is closed. */
  onClosed(act: () => void): void {
    if (this.#socket.closed) act()
    else this.#socket.once('close', act)
  }

  /**
   * Runs one statement.
   * @param deadline by `performance.now()`. Without a response by then the connection is destroyed, because a late response
   *   would be taken for the response to the next statement.
   * @throws DatabaseUnavailable without a response; PostgresError
   */
  run<T>(statement: (sql: postgres.Sql) => PromiseLike<T>, deadline: number): Promise<T> {
    if (this.#loss) return Promise.reject(this.#loss)
    return new Promise((resolve, reject) => {
      const late = () => this.destroy(unavailable('NO_ANSWER', 'The database does not answer'))
      const timer = setTimeout(late, deadline - performance.now())
      const settle = (act: () => void) => {
        clearTimeout(timer)
        this.#waiting.delete(lost)
        act()
      }
      const lost = (error: DatabaseUnavailable) => settle(() => reject(error))
      this.#waiting.add(lost)
      statement(this.#sql).then(
        (result) => {
          if (isResult(result)) settle(() => resolve(result))
          else this.destroy(unavailable('CONNECTION_LOST', 'The database ended the connection instead of answering'))
        },
        (error) => settle(() => reject(error)),
      )
    })
  }

  /** Ends the connection in order. The socket is destroyed after a second if the server does not close it. */
  close(): void {
    this.isRetired = true
    if (this.#socket.writable) this.#socket.end(terminateMessage)
    setTimeout(() => this.#socket.destroy(), terminateTimeout).unref()
  }

  /** Ends the connection at once. Statements without a response fail with the error. */
  destroy(error: DatabaseUnavailable): void {
    this.#lose(error)
    this.#socket.destroy()
  }

  #lose(error: DatabaseUnavailable): void {
    this.#loss ??= error
    for (const fail of [...this.#waiting]) fail(this.#loss)
  }
}

/** The `socket` option of postgres.js. To reconnect, postgres.js requests a second socket, which is never provided. */
function provideOnce(socket: Socket): () => Promise<Socket> {
  let isTaken = false
  return async () => {
    if (isTaken) return new Promise<never>(() => {})
    isTaken = true
    return socket
  }
}

/**
 * The first statement of a connection. It sets the timeouts that the URL does not set. PgBouncer refuses a connection with
 * a timeout in the first packet. In a pooler in transaction mode, for which the URL has `prepare=false`, the timeouts would
 * stay on a connection of other clients. For such a pooler only our own deadline applies.
 */
function sessionSetup({ prepare, connection }: ParsedUrl): string {
  const wanted = {
    // Before our deadline, so that Postgres ends a slow statement and the connection is kept.
    statement_timeout: limits.statement - 1_000,
    idle_in_transaction_session_timeout: idleInTransaction,
  }
  const ours = Object.entries(wanted).filter(([name]) => prepare && !(name in connection))
  return `select ${['1', ...ours.map(([name, value]) => `set_config('${name}', '${value}', false)`)].join(', ')}`
}

/** Whether Postgres has completed the statement. postgres.js returns an empty result at the end of a connection. */
function isResult(result: unknown): boolean {
  const isEnded = (one: unknown) => Boolean((one as Partial<postgres.RowList<[]>> | undefined)?.command)
  return isEnded(result) || (Array.isArray(result) && result.length > 0 && result.every(isEnded))
}
