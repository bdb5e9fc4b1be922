import { type SQL, sql } from 'drizzle-orm'
import type { AttachmentState } from '#domain/states.ts'

/** States as constants of a statement, not as parameters: so Postgres can use the indexes that are for some states only. */
export function stateLiterals(states: readonly AttachmentState[]): SQL {
  return sql.raw(states.map((state) => `'${state}'`).join(', '))
}
