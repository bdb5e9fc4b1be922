import { sql } from 'drizzle-orm'
import type { Clock } from '#domain/principal.ts'
import type { Database } from '#persistence/connection/client.ts'

/** The database's time in milliseconds since 1970: a column for a statement that is asked anyway. */
export const databaseTime = sql<number>`extract(epoch from now()) * 1000`.mapWith(Number)

/**
 * A clock that goes on from the database's time. The clocks of replicas differ, but run at the same speed: so a link or credential
 * ends at the same moment on all of them.
 */
export function clockFrom(milliseconds: number): Clock {
  const read = performance.now()
  return () => milliseconds + performance.now() - read
}

/** Reads the database's clock with a statement of its own. */
export async function readClock(db: Database): Promise<Clock> {
  const [row] = await db.execute<{ now: string }>(sql`select extract(epoch from now()) * 1000 as now`)
  return clockFrom(Number(row?.now))
}
