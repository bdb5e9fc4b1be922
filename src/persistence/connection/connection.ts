import type { Socket } from 'node:net'
import postgres from 'postgres'
import { limits } from '#domain/limits.ts'
import { asUnavailable, type DatabaseUnavailable, unavailable } from './errors.ts'
import { openSocket, type ParsedUrl } from './socket.ts'

/** The message `Terminate`. */
const terminateMessage = Buffer.from([88, 0, 0, 0, 4])

/** Milliseconds that the server has to close its side. */
const terminateTimeout = 1_000

/** Milliseconds that a transaction of ours may be idle before Postgres ends it. */
const idleInTransaction = 30_000

/** How the connections of a pool are made. */
export interface ConnectionOptions {
  /** `postgres://user:password@host:port/database` */
  url: string
  /** The same, read. */
  parsed: ParsedUrl
  /** How values are read and written, by the number of their type: what drizzle has set. */
  types: Pick<ParsedUrl, 'parsers' | 'serializers'>
}

/**
 * One connection to Postgres, over one socket; it ends with the socket. postgres.js would connect anew by itself, with messages of
 * the old connection in its buffers, and would take the first answer on the new one for the answer to a statement of the old one: an
 * empty list. So postgres.js gets a single socket, and statements without an answer fail as soon as the socket is lost.
 */
export class Connection {
  readonly openedAt = performance.now()
  /** When it was last given back. */
  idleSince = this.openedAt
  /** It is closed when it is given back. */
  isRetired = false
  readonly #socket: Socket
  readonly #sql: postgres.Sql
  readonly #waiting = new Set<(error: DatabaseUnavailable) => void>()
  #loss: DatabaseUnavailable | undefined

  private constructor(socket: Socket, { url, types }: ConnectionOptions) {
    this.#socket = socket
    // These listeners come before those of postgres.js, so that statements fail with the error of this class.
    socket.once('error', (error) => this.#lose(asUnavailable(error)))
    socket.once('close', () => this.#lose(unavailable('CONNECTION_LOST', 'The database closed the connection')))
    this.#sql = postgres(url, {
      max: 1,
      // Behind a pooler, what is sent before the answer has come is answered out of turn.
      max_pipeline: 0,
      ssl: false,
      socket: handOutOnce(socket),
      connect_timeout: 0,
      idle_timeout: 0,
      max_lifetime: null,
      onnotice: () => {},
      // Asking for types first, postgres.js crashes the process when a connection is lost just as it begins.
      fetch_types: false,
      connection: { application_name: 'stowage' },
    } as postgres.Options<Record<string, never>>)
    Object.assign(this.#sql.options.parsers, types.parsers)
    Object.assign(this.#sql.options.serializers, types.serializers)
  }

  /**
   * Connects, logs in and sets what holds for every statement.
   * @param index of the server, when the URL names several
   * @param signal gives it up
   * @throws what Node, TLS or Postgres says; DatabaseUnavailable
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

  /** Runs once, when the socket is closed. */
  onClosed(act: () => void): void {
    if (this.#socket.closed) act()
    else this.#socket.once('close', act)
  }

  /**
   * Runs one statement.
   * @param deadline by `performance.now()`; without an answer by then the connection is destroyed, because a late
   *   answer would be taken for that of the next statement
   * @throws DatabaseUnavailable when no answer came, for whatever reason; PostgresError
   */
  run<T>(ask: (sql: postgres.Sql) => PromiseLike<T>, deadline: number): Promise<T> {
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
      ask(this.#sql).then(
        (result) => {
          if (isAnswer(result)) settle(() => resolve(result))
          else this.destroy(unavailable('CONNECTION_LOST', 'The database ended the connection instead of answering'))
        },
        (error) => settle(() => reject(error)),
      )
    })
  }

  /** Ends the connection in order; the socket is destroyed after a second if the server does not close it. */
  close(): void {
    this.isRetired = true
    if (this.#socket.writable) this.#socket.end(terminateMessage)
    setTimeout(() => this.#socket.destroy(), terminateTimeout).unref()
  }

  /** Ends the connection at once; statements without an answer fail with the error. */
  destroy(error: DatabaseUnavailable): void {
    this.#lose(error)
    this.#socket.destroy()
  }

  #lose(error: DatabaseUnavailable): void {
    this.#loss ??= error
    for (const tell of [...this.#waiting]) tell(this.#loss)
  }
}

/** For the `socket` of postgres.js, which asks for another socket to connect anew: that one never comes. */
function handOutOnce(socket: Socket): () => Promise<Socket> {
  let isTaken = false
  return async () => {
    if (isTaken) return new Promise<never>(() => {})
    isTaken = true
    return socket
  }
}

/**
 * The first statement. PgBouncer refuses a connection whose first packet sets a timeout, so they are set here, but for what
 * the URL sets itself. Through a pooler that lends its connections for a transaction, for which the URL says
 * `prepare=false`, they would stay with somebody else's connection: there, only our own deadline holds.
 */
function sessionSetup({ prepare, connection }: ParsedUrl): string {
  const wanted = {
    // So that a statement which is merely slow is ended by Postgres and costs no connection.
    statement_timeout: limits.statement - 1_000,
    idle_in_transaction_session_timeout: idleInTransaction,
  }
  const ours = Object.entries(wanted).filter(([name]) => prepare && !(name in connection))
  return `select ${['1', ...ours.map(([name, value]) => `set_config('${name}', '${value}', false)`)].join(', ')}`
}

/** Whether Postgres itself has ended the statement: postgres.js takes the end of a connection for an empty result. */
function isAnswer(result: unknown): boolean {
  const isEnded = (one: unknown) => Boolean((one as Partial<postgres.RowList<[]>> | undefined)?.command)
  return isEnded(result) || (Array.isArray(result) && result.length > 0 && result.every(isEnded))
}
