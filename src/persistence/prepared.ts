import type { Database } from '#persistence/connection/client.ts'

/**
 * A statement that is built once for each database instead of once for each request: building one costs more CPU than
 * running it.
 * @param build prepares it, with `sql.placeholder` where the values go
 */
export function prepared<Statement>(build: (db: Database) => Statement): (db: Database) => Statement {
  const built = new WeakMap<Database, Statement>()
  return (db) => {
    const statement = built.get(db) ?? build(db)
    built.set(db, statement)
    return statement
  }
}
