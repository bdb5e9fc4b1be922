import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Makes a folder of migrations as drizzle-kit writes it, from the text of each file in order, and returns its path. */
export async function makeMigrations(t: Test, files: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-migrations-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'meta'))
  const entries = files.map((_, idx) => ({ idx, version: '7', when: 1_000 + idx, tag: `000${idx}`, breakpoints: true }))
  for (const { idx, tag } of entries) await writeFile(join(folder, `${tag}.sql`), files[idx] as string)
  const journal = { version: '7', dialect: 'postgresql', entries }
  await writeFile(join(folder, 'meta', '_journal.json'), JSON.stringify(journal))
  return folder
}

/** The rows of the table that {@link watchedIndex} is on. */
export const watchedRows = 3

/** Holds up the build of the index for as long as somebody else has this advisory lock. */
export const buildLock = 77

/**
 * Two migrations: a table, and an index on it that is built outside a transaction. The build calls a function once for each row;
 * the sequence `evaluations` counts the calls.
 */
export const watchedIndex = [
  `create table big (id bigint primary key);--> statement-breakpoint
   create sequence evaluations minvalue 0;--> statement-breakpoint
   create function watched(id bigint) returns bigint immutable language plpgsql as $$ begin
     perform pg_advisory_xact_lock_shared(${buildLock});
     perform nextval('public.evaluations');
     return id;
   end $$;--> statement-breakpoint
   insert into big select generate_series(1, ${watchedRows});`,
  `-- stowage: no transaction
create index concurrently if not exists "big_watched" on "big" (watched("id"));`,
]
