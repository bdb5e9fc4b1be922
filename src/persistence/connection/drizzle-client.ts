import type postgres from 'postgres'
import { isWrite } from './commit-watch.ts'
import type { Connection } from './connection.ts'
import { unavailable } from './errors.ts'
import type { Pool } from './pool.ts'

/** Runs one question somewhere and answers in time. @param text of the statement */
type Run = <T>(ask: (sql: postgres.Sql) => PromiseLike<T>, text: string) => Promise<T>

type Rows = postgres.RowList<postgres.Row[]>
type Work = (client: object) => Promise<unknown>

/** How values are read and written: drizzle sets its own here. */
export type Types = Pick<postgres.ParsedOptions, 'parsers' | 'serializers'>

/**
 * What drizzle uses of postgres.js, on connections of `pool`.
 * @param prepare whether statements are kept by the connection. Drizzle runs most of its own unprepared: Postgres then parses
 *   and plans each one every time, and two trips are needed to learn its types. Prepared, a statement costs us a third.
 *   After a migration Postgres wants them planned anew, which postgres.js does by itself.
 * @param limit milliseconds for one statement
 */
export function drizzleClient(pool: Pool, types: Types, prepare: boolean, limit: number): postgres.Sql {
  const client = {
    options: types,
    unsafe: statements((ask, text) => (isWrite(text) ? pool.write(ask) : pool.run(ask)), prepare),
    begin: (work: Work) => pool.hold((connection) => transaction(connection, work, prepare, limit)),
  }
  return client as unknown as postgres.Sql
}

/** As `sql.unsafe` of postgres.js: a promise of objects, or of arrays when `values()` is called on it at once. */
function statements(run: Run, prepare: boolean) {
  return (query: string, parameters: [], options: postgres.UnsafeQueryOptions) => {
    let asArrays = false
    const ask = (sql: postgres.Sql): PromiseLike<Rows> => {
      const asked = sql.unsafe(query, parameters, { ...options, prepare })
      return asArrays ? (asked.values() as unknown as PromiseLike<Rows>) : asked
    }
    const answer = Promise.resolve().then(() => run(ask, query))
    const values = () => {
      asArrays = true
      return answer
    }
    return Object.assign(answer, { values })
  }
}

/** Commits what `work` does, or takes it back when it throws; each statement has its own deadline, `commit` too. */
async function transaction(connection: Connection, work: Work, prepare: boolean, limit: number): Promise<unknown> {
  const run: Run = (ask) => connection.run(ask, performance.now() + limit)
  const command = (text: string) => run((sql) => sql.unsafe(text), text)
  let depth = 0
  const nested = async (inner: Work) => {
    depth += 1
    const name = `nested_${depth}`
    await command(`savepoint ${name}`)
    return settle(inner, { keep: `release ${name}`, drop: `rollback to ${name}` })
  }
  const settle = async (inner: Work, end: { keep: string; drop: string }) => {
    let result: unknown
    try {
      result = await inner({ unsafe: statements(run, prepare), begin: nested, savepoint: nested })
    } catch (error) {
      await command(end.drop).catch(() => connection.destroy(unavailable('CONNECTION_LOST', 'A rollback failed')))
      throw error
    }
    await command(end.keep)
    return result
  }
  await command('begin')
  return settle(work, { keep: 'commit', drop: 'rollback' })
}
