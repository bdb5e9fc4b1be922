import type postgres from 'postgres'
import { isWrite } from './commit-watch.ts'
import type { Connection } from './connection.ts'
import { unavailable } from './errors.ts'
import type { Pool } from './pool.ts'

/** Runs one statement within its deadline. @param text the text of the statement */
type Run = <T>(statement: (sql: postgres.Sql) => PromiseLike<T>, text: string) => Promise<T>

type Rows = postgres.RowList<postgres.Row[]>
type Work = (client: object) => Promise<unknown>

/** Parsers and serializers of values, which drizzle replaces. */
export type Types = Pick<postgres.ParsedOptions, 'parsers' | 'serializers'>

/**
 * The functions of postgres.js that drizzle uses, on connections of `pool`.
 * @param prepare whether statements are prepared. Drizzle leaves most of its statements unprepared. Postgres then parses
 *   and plans each of them every time, and two round trips are needed to learn its types. A prepared statement costs us a
 *   third. After a migration Postgres requires a new plan, which postgres.js handles by itself.
 * @param limit milliseconds for one statement
 */
export function drizzleClient(pool: Pool, types: Types, prepare: boolean, limit: number): postgres.Sql {
  const client = {
    options: types,
    unsafe: statements((statement, text) => (isWrite(text) ? pool.write(statement) : pool.run(statement)), prepare),
    begin: (work: Work) => pool.hold((connection) => transaction(connection, work, prepare, limit)),
  }
  return client as unknown as postgres.Sql
}

/** Like `sql.unsafe` of postgres.js: a promise of objects, or of arrays when `values()` is called on it at once. */
function statements(run: Run, prepare: boolean) {
  return (query: string, parameters: [], options: postgres.UnsafeQueryOptions) => {
    let asArrays = false
    const statement = (sql: postgres.Sql): PromiseLike<Rows> => {
      const pending = sql.unsafe(query, parameters, { ...options, prepare })
      return asArrays ? (pending.values() as unknown as PromiseLike<Rows>) : pending
    }
    const result = Promise.resolve().then(() => run(statement, query))
    const values = () => {
      asArrays = true
      return result
    }
    return Object.assign(result, { values })
  }
}

/** Commits the work, or rolls it back when `work` throws. Each statement has its own deadline, `commit` included. */
async function transaction(connection: Connection, work: Work, prepare: boolean, limit: number): Promise<unknown> {
  const run: Run = (statement) => connection.run(statement, performance.now() + limit)
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
