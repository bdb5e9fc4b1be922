import { withDatabase } from './with-database.ts'

/** `stowage migrate`: brings the database up to date, as every command that uses it does first. */
export async function migrate(env: NodeJS.ProcessEnv): Promise<void> {
  await withDatabase(env, async () => console.log('The database is up to date.'))
}
