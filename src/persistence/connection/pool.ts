import { limits } from '#domain/limits.ts'
import { CommitWatch } from './commit-watch.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { asUnavailable, concernsAllConnections, type DatabaseUnavailable, unavailable } from './errors.ts'

type RunStatement<T> = Parameters<typeof Connection.prototype.run<T>>[0]

/** A caller that waits for a connection. */
interface Waiter {
  serve(connection: Connection): void
  refuse(error: DatabaseUnavailable): void
}

/** Milliseconds between a failed connection and the next try; random, so that replicas do not retry in step. */
const pause = () => 250 + Math.random() * 250

/** Milliseconds that a connection may be idle. */
const idleTime = 60_000

/** Milliseconds for which a connection is used. New ones give a server that returns behind a balancer its share. */
const lifeTime = 30 * 60_000

/** Age in milliseconds up to which a connection is kept when another one fails: not every error costs a connection. */
const graceTime = 1_000

/**
 * At most `max` connections to one database. Each connection runs one statement or transaction at a time. Every wait for
 * a connection has a deadline. While no connection can be opened, callers are refused at once, and one connection is tried
 * after each pause.
 */
export class Pool {
  readonly #options: ConnectionOptions
  readonly #max: number
  readonly #limit: number
  readonly #connections = new Set<Connection>()
  /** The most recently used connection is last. */
  readonly #idle: Connection[] = []
  /** In the order of arrival. */
  readonly #waiters = new Set<Waiter>()
  readonly #closing = new AbortController()
  readonly #commits = new CommitWatch(() => this.#connect())
  readonly #sweeping = setInterval(() => this.#sweep(), idleTime / 6).unref()
  #opening = 0
  #attempts = 0
  #failure: { error: DatabaseUnavailable; until: number } | undefined
  #onEmpty = () => {}

  /** @param limit milliseconds from the submission of a statement to its result */
  constructor(options: ConnectionOptions, max: number, limit: number) {
    this.#options = options
    this.#max = max
    this.#limit = limit
  }

  /**
   * Runs one statement on any connection.
   * @param limit milliseconds until the result, the wait for a connection included
   * @throws DatabaseUnavailable without a connection or a response; PostgresError
   */
  async run<T>(statement: RunStatement<T>, limit = this.#limit): Promise<T> {
    const deadline = performance.now() + limit
    return this.hold((connection) => connection.run(statement, deadline), limit)
  }

  /**
   * Runs one statement that writes, like {@link run}.
   * @throws DatabaseUnavailable as in `run`, and at once while commits wait for a standby; PostgresError
   */
  async write<T>(statement: RunStatement<T>, limit = this.#limit): Promise<T> {
    this.#commits.throwIfWaiting()
    const deadline = performance.now() + limit
    return this.hold((connection) => this.#commits.write(connection, () => connection.run(statement, deadline)), limit)
  }

  /** @throws DatabaseUnavailable while commits wait for a standby */
  throwIfCommitsWait(): void {
    this.#commits.throwIfWaiting()
  }

  /**
   * Reserves a connection until `use` has ended.
   * @param limit milliseconds to wait for a connection
   */
  async hold<T>(use: (connection: Connection) => Promise<T>, limit = this.#limit): Promise<T> {
    const connection = this.#takeIdle() ?? (await this.#wait(limit))
    try {
      return await use(connection)
    } catch (error) {
      if (concernsAllConnections(error)) this.#retireOlderThan(graceTime)
      throw error
    } finally {
      this.#release(connection)
    }
  }

  /** Refuses further callers. Running statements are cut off after `drainTimeout` milliseconds. */
  async close(drainTimeout: number): Promise<void> {
    clearInterval(this.#sweeping)
    this.#commits.close()
    const closed = unavailable('CLOSED', 'The connections to the database are closed')
    this.#closing.abort(closed)
    this.#refuseAll(closed)
    for (const connection of this.#idle.splice(0)) connection.close()
    const cutOff = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy(closed)
    }, drainTimeout)
    await new Promise<void>((resolve) => {
      this.#onEmpty = () => this.#connections.size === 0 && resolve()
      this.#onEmpty()
    })
    clearTimeout(cutOff)
  }

  #takeIdle(): Connection | undefined {
    let connection = this.#idle.pop()
    while (connection && !connection.isUsable) connection = this.#idle.pop()
    return connection
  }

  #wait(limit: number): Promise<Connection> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason)
    if (this.#isRefusing()) return Promise.reject(this.#failure?.error)
    return new Promise((resolve, reject) => {
      const late = () => waiter.refuse(unavailable('NO_CONNECTION', 'No connection to the database was free in time'))
      const timer = setTimeout(late, limit)
      const settle = (act: () => void) => {
        clearTimeout(timer)
        this.#waiters.delete(waiter)
        act()
      }
      const waiter: Waiter = {
        serve: (connection) => settle(() => resolve(connection)),
        refuse: (error) => settle(() => reject(error)),
      }
      this.#waiters.add(waiter)
      this.#grow()
    })
  }

  #release(connection: Connection): void {
    const [waiter] = this.#waiters
    if (!connection.isUsable || connection.isRetired || this.#closing.signal.aborted) {
      connection.close()
    } else if (waiter) {
      waiter.serve(connection)
    } else {
      connection.idleSince = performance.now()
      this.#idle.push(connection)
    }
  }

  /** Whether no connection exists and the pause after a failure is not over. Refusals do not prolong the pause. */
  #isRefusing(): boolean {
    const { until } = this.#failure ?? { until: 0 }
    return performance.now() < until && this.#connections.size + this.#opening === 0
  }

  /** Opens connections for the waiting callers. After a failure only one is opened, after the pause. */
  #grow(): void {
    if (this.#closing.signal.aborted) return
    const isPausing = this.#failure !== undefined && performance.now() < this.#failure.until
    const allowed = this.#failure === undefined ? this.#max : isPausing ? 0 : 1
    const capacity = Math.min(allowed - this.#opening, this.#max - this.#connections.size - this.#opening)
    const wanted = Math.min(capacity, this.#waiters.size - this.#opening)
    for (let number = 0; number < wanted; number += 1) void this.#open()
  }

  /** Never rejects. */
  async #open(): Promise<void> {
    this.#opening += 1
    try {
      const connection = await this.#connect()
      this.#failure = undefined
      this.#opening -= 1
      this.#connections.add(connection)
      connection.onClosed(() => this.#forget(connection))
      this.#release(connection)
    } catch (error) {
      this.#opening -= 1
      this.#fail(asUnavailable(error))
    }
    this.#grow()
  }

  async #connect(): Promise<Connection> {
    const attempt = new AbortController()
    const abort = () => attempt.abort()
    const timer = setTimeout(abort, limits.connect)
    this.#closing.signal.addEventListener('abort', abort)
    try {
      return await Connection.open(this.#options, this.#attempts++, attempt.signal)
    } catch (error) {
      if (!attempt.signal.aborted) throw error
      throw unavailable(
        'CONNECT_TIMEOUT',
        `The database does not let us connect within ${limits.connect / 1000} s`,
        error,
      )
    } finally {
      clearTimeout(timer)
      this.#closing.signal.removeEventListener('abort', abort)
    }
  }

  #fail(error: DatabaseUnavailable): void {
    const milliseconds = pause()
    const failure = { error, until: performance.now() + milliseconds }
    this.#failure = failure
    if (this.#isRefusing()) this.#refuseAll(error)
    const retry = () => {
      failure.until = 0
      this.#grow()
    }
    setTimeout(retry, milliseconds).unref()
  }

  #refuseAll(error: DatabaseUnavailable): void {
    for (const waiter of [...this.#waiters]) waiter.refuse(error)
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection)
    const index = this.#idle.indexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
    this.#onEmpty()
    this.#grow()
  }

  #sweep(): void {
    const now = performance.now()
    this.#retireOlderThan(lifeTime)
    this.#closeIdle(({ idleSince }) => now - idleSince > idleTime)
  }

  /** Retires connections older than `age` milliseconds. A connection in use is closed when it is released. */
  #retireOlderThan(age: number): void {
    const now = performance.now()
    for (const connection of this.#connections) connection.isRetired ||= now - connection.openedAt > age
    this.#closeIdle(({ isRetired }) => isRetired)
  }

  #closeIdle(isExpired: (connection: Connection) => boolean): void {
    for (const connection of this.#idle.filter(isExpired)) {
      this.#idle.splice(this.#idle.indexOf(connection), 1)
      connection.close()
    }
  }
}
