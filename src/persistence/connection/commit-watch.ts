import { setTimeout as delay } from 'node:timers/promises'
import { limits } from '#domain/limits.ts'
import type { Connection } from './connection.ts'
import { type DatabaseUnavailable, unavailable } from './errors.ts'

/** Milliseconds that a statement that writes may take before a look at the commits. */
const suspicious = 3_000

/** Milliseconds between two looks. */
const pause = 1_000

/** Milliseconds until a first finding is looked into once more: after a long statement, a commit may just wait for its moment. */
const recheck = 250

/** Backends of this role that wait for a standby. Of other roles' backends, Postgres does not tell what they wait for. */
const look = `
  select exists (
    select from pg_stat_activity
    where datname = current_database() and usename = current_user and wait_event = 'SyncRep'
      and state_change < now() - interval '2 seconds'
  ) as waits`

/** Statements of which Postgres commits something. Others are let through while commits wait. */
export function isWrite(statement: string): boolean {
  return /\b(insert into|update|delete from)\b/i.test(statement)
}

/**
 * Notices that commits wait for a synchronous standby that does not answer. Postgres ends such a wait neither by
 * `statement_timeout` nor when the client is gone: each further write would take one more of its connections until the standby is
 * back, and there would be none left to read. So writes are refused at once while a commit waits.
 */
export class CommitWatch {
  readonly #open: () => Promise<Connection>
  /** Connections with a statement that writes, and when each began, by `performance.now()`. */
  readonly #writing = new Map<Connection, number>()
  /** For the looks alone, since all others may wait. */
  #own: Connection | undefined
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #isClosed = false
  #waiting = false

  /** @param open makes a connection for the looks */
  constructor(open: () => Promise<Connection>) {
    this.#open = open
  }

  /** @throws DatabaseUnavailable while commits wait */
  throwIfWaiting(): void {
    if (this.#waiting) throw commitsWait()
  }

  /**
   * Runs a statement that writes.
   * @throws DatabaseUnavailable when commits wait: then the connection is destroyed, and the statement may be done later
   */
  async write<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
    this.throwIfWaiting()
    this.#writing.set(connection, performance.now())
    this.#timer ??= setInterval(() => void this.#round(), pause).unref()
    try {
      return await work()
    } finally {
      this.#writing.delete(connection)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#rest()
  }

  /** Never rejects. */
  async #round(): Promise<void> {
    if (this.#isLooking) return
    const isLate = (startedAt: number) => startedAt < performance.now() - suspicious
    if (!this.#waiting && ![...this.#writing.values()].some(isLate)) return this.#rest()
    this.#isLooking = true
    // Without an answer nothing is known, and writes find out for themselves.
    this.#waiting = await this.#findWaiting().catch(() => false)
    this.#isLooking = false
    if (!this.#waiting) return
    for (const [connection, startedAt] of this.#writing) if (isLate(startedAt)) connection.destroy(commitsWait())
  }

  async #findWaiting(): Promise<boolean> {
    if (this.#waiting) return this.#look()
    if (!(await this.#look())) return false
    await delay(recheck)
    return this.#look()
  }

  async #look(): Promise<boolean> {
    if (!this.#own?.isUsable) this.#own = await this.#open()
    if (this.#isClosed) this.#own.destroy(unavailable('CLOSED', 'The connections to the database are closed'))
    const [row] = await this.#own.run((sql) => sql.unsafe(look), performance.now() + limits.connect)
    return row?.waits === true
  }

  #rest(): void {
    this.#own?.close()
    this.#own = undefined
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
