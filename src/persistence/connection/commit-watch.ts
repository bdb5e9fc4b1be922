import { setTimeout as delay } from 'node:timers/promises'
import { limits } from '#domain/limits.ts'
import type { Connection } from './connection.ts'
import { type DatabaseUnavailable, unavailable } from './errors.ts'

/** Milliseconds that a write may take before the commits are checked. */
const slowWrite = 3_000

/** Milliseconds between two checks. */
const pause = 1_000

/** Milliseconds before a first finding is checked again. After a long statement, a commit may wait only briefly. */
const recheckDelay = 250

/** Selects backends of this role that wait for a standby. Postgres hides the wait events of other roles' backends. */
const checkStatement = `
  select exists (
    select from pg_stat_activity
    where datname = current_database() and usename = current_user and wait_event = 'SyncRep'
      and state_change < now() - interval '2 seconds'
  ) as waits`

/** Whether a statement writes. While commits wait, the other statements are still permitted. */
export function isWrite(statement: string): boolean {
  return /\b(insert into|update|delete from)\b/i.test(statement)
}

/**
 * Detects commits that wait for an unresponsive synchronous standby. Neither `statement_timeout` nor a disconnected client
 * ends such a wait. Until the standby is back, each further write would occupy another of Postgres's connections, and no
 * connection would be left for reads. Therefore writes are refused at once while a commit waits.
 */
export class CommitWatch {
  readonly #open: () => Promise<Connection>
  /** The start of the current write on each connection, by `performance.now()`. */
  readonly #writing = new Map<Connection, number>()
  /** The connection for the checks alone, because all other connections may be waiting. */
  #checker: Connection | undefined
  #timer: NodeJS.Timeout | undefined
  #isChecking = false
  #isClosed = false
  #waiting = false

  /** @param open opens a connection for the checks */
  constructor(open: () => Promise<Connection>) {
    this.#open = open
  }

  /** @throws DatabaseUnavailable while commits wait */
  throwIfWaiting(): void {
    if (this.#waiting) throw commitsWait()
  }

  /**
   * Runs a statement that writes.
   * @throws DatabaseUnavailable when commits wait. The connection of a running statement is destroyed, and the statement
   *   may still be committed later.
   */
  async write<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
    this.throwIfWaiting()
    this.#writing.set(connection, performance.now())
    this.#timer ??= setInterval(() => void this.#checkSlowWrites(), pause).unref()
    try {
      return await work()
    } finally {
      this.#writing.delete(connection)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#disconnect()
  }

  /** Never rejects. */
  async #checkSlowWrites(): Promise<void> {
    if (this.#isChecking) return
    const isLate = (startedAt: number) => startedAt < performance.now() - slowWrite
    if (!this.#waiting && ![...this.#writing.values()].some(isLate)) return this.#disconnect()
    this.#isChecking = true
    // A failed check proves nothing. Writes are permitted and have their own deadline.
    this.#waiting = await this.#confirmWaiting().catch(() => false)
    this.#isChecking = false
    if (!this.#waiting) return
    for (const [connection, startedAt] of this.#writing) if (isLate(startedAt)) connection.destroy(commitsWait())
  }

  async #confirmWaiting(): Promise<boolean> {
    if (this.#waiting) return this.#isCommitWaiting()
    if (!(await this.#isCommitWaiting())) return false
    await delay(recheckDelay)
    return this.#isCommitWaiting()
  }

  async #isCommitWaiting(): Promise<boolean> {
    if (!this.#checker?.isUsable) this.#checker = await this.#open()
    if (this.#isClosed) this.#checker.destroy(unavailable('CLOSED', 'The connections to the database are closed'))
    const [row] = await this.#checker.run((sql) => sql.unsafe(checkStatement), performance.now() + limits.connect)
    return row?.waits === true
  }

  #disconnect(): void {
    this.#checker?.close()
    this.#checker = undefined
    if (this.#writing.size > 0 && !this.#isClosed) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function commitsWait(): DatabaseUnavailable {
  return unavailable(
    'COMMITS_WAIT',
    'The database commits nothing: it waits for a standby of synchronous_standby_names that does not answer',
  )
}
