import { sql } from 'drizzle-orm'
import type { Database } from './client.ts'

/** Milliseconds since 1970. */
export type Clock = () => number

/** The database's time in milliseconds since 1970: a column for a statement that is asked anyway. */
export const databaseTime = sql<number>`extract(epoch from now()) * 1000`.mapWith(Number)

/**
 * A clock that goes on from what the database said. Replicas may disagree on the time, but they count alike: so what one
 * says ends in an hour ends for all of them at once.
 */
export function clockFrom(milliseconds: number): Clock {
  const read = performance.now()
  return () => milliseconds + performance.now() - read
}

/** The database's clock, where no other statement has told it. */
export async function readClock(db: Database): Promise<Clock> {
  const [row] = await db.execute<{ now: string }>(sql`select extract(epoch from now()) * 1000 as now`)
  return clockFrom(Number(row?.now))
}
