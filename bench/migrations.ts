/**
 * `node bench/migrations.ts`: the longest time that a statement of a service waits while tables of a million rows are migrated.
 * First each published migration, from the first one on; then pairs of migrations that do the same, with and without a lock.
 * Prints a table for docs/migrations.md.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres, { type Sql } from 'postgres'
import { startEmbeddedPostgres } from '#dev/embedded-postgres/embedded-postgres.ts'
import { migrationsFolder } from '#persistence/migration/journal.ts'
import { migrateDatabase } from '#persistence/migration/migrate.ts'

const rows = 1_000_000
const writers = 4

/** What the first version stores for a million files. */
const filling = [
  `insert into users (id) select generate_series(1, 50000)`,
  `insert into rooms (id, public_id) select g, 'room ' || g from generate_series(1, 50000) g`,
  `insert into messages (id, public_id, room_id, author_id)
   select g, 'message ' || g, 1 + g % 50000, 1 + g % 50000 from generate_series(1, 250000) g`,
  `insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type, file_size, file_checksum,
     file_checksum_algorithm, state, attempt)
   select substr(md5(g::text), 1, 16), 1 + g % 250000, 1 + g % 50000, 1 + g % 50000, 'a.txt', 'text/plain', 1,
     repeat('ab', 32), 'sha256', 'ReadyForDownloadFromServerToClient', 1 from generate_series(1, ${rows}) g`,
  `insert into objects (key, attachment_id, attempt) select md5(id::text), id, attempt from attachments`,
  `insert into transitions (attachment_id, attempt, "to", reason, actor)
   select id, attempt, state, 'a bench', 'user:1' from attachments`,
]

/** What the writers do to one file; the columns are those of the first version. */
const load = [
  `update attachments set modified_at = now() where id = $1`,
  `insert into transitions (attachment_id, attempt, "to", reason, actor) values ($1, 1, 'a', 'a bench', 'user:1')`,
  `update objects set purges = purges + 1 where attachment_id = $1`,
  `update messages set created_at = now() where id = 1 + $1::bigint % 250000`,
]

const online = '-- stowage: no transaction\n'
/** Names and statements of migrations that follow the published ones. */
const pairs = [
  ['create index', `create index bench_a on attachments (content_type, modified_at);`],
  [
    'create index concurrently',
    `${online}create index concurrently if not exists bench_b on attachments (content_type, modified_at);`,
  ],
  ['add constraint check', `alter table attachments add constraint bench_c check (file_size < 9e15);`],
  [
    'add constraint check not valid',
    `alter table attachments add constraint bench_d check (file_size < 9e15) not valid;`,
  ],
  ['validate constraint', `${online}alter table attachments validate constraint bench_d;`],
  [
    'add constraint foreign key',
    `alter table transitions add constraint bench_e foreign key (attachment_id) references attachments (id);`,
  ],
  [
    'add foreign key not valid',
    `alter table transitions add constraint bench_f foreign key (attachment_id) references attachments (id) not valid;`,
  ],
  ['validate foreign key', `${online}alter table transitions validate constraint bench_f;`],
  ['drop index', `drop index bench_a;`],
  ['drop index concurrently', `${online}drop index concurrently if exists bench_b;`],
] as const

const directory = await mkdtemp(join(tmpdir(), 'stowage-bench-'))
try {
  const server = await startEmbeddedPostgres({ directory: join(directory, 'postgres') })
  try {
    await measureAll(server.url)
  } finally {
    await server.stop()
  }
} finally {
  await rm(directory, { recursive: true, force: true })
}

async function measureAll(url: string): Promise<void> {
  const folder = join(directory, 'migrations')
  await cp(migrationsFolder, folder, { recursive: true })
  const { entries, ...rest } = JSON.parse(await readFile(join(folder, 'meta/_journal.json'), 'utf8'))
  const publish = (all: object[]) =>
    writeFile(join(folder, 'meta/_journal.json'), JSON.stringify({ ...rest, entries: all }))
  const applied = entries.splice(0, 1)
  await publish(applied)
  await migrateDatabase(url, undefined, folder)
  await fill(url)
  for (const [index, [, text]] of pairs.entries()) await writeFile(join(folder, `bench_${index}.sql`), text)
  const more = pairs.map(([name], index) => ({
    name,
    tag: `bench_${index}`,
    when: Date.now() + index,
    breakpoints: true,
  }))
  console.log('| migration | s | longest wait of a statement, s | statements |\n| --- | --- | --- | --- |')
  console.log(await measure(url, 'none', () => new Promise((resolve) => setTimeout(resolve, 10_000))))
  for (const entry of [...entries, ...more]) {
    applied.push(entry)
    await publish(applied)
    console.log(await measure(url, entry.name ?? entry.tag, () => migrateDatabase(url, undefined, folder)))
  }
}

async function fill(url: string): Promise<void> {
  const sql = postgres(url, { max: 1 })
  await sql`set session_replication_role = 'replica'`
  await sql`set synchronous_commit = off`
  for (const statement of filling) await sql.unsafe(statement)
  await sql`vacuum analyze`
  await sql`checkpoint`
  await sql.end()
}

/** Lets the writers write while `act` lasts. @returns a line of the table */
async function measure(url: string, name: string, act: () => Promise<unknown>): Promise<string> {
  const sql = postgres(url, { max: writers })
  const stop = new AbortController()
  const writing = Promise.all(Array.from({ length: writers }, () => write(sql, stop.signal)))
  const begunAt = performance.now()
  await act()
  const seconds = (performance.now() - begunAt) / 1000
  stop.abort()
  const waits = (await writing).flat()
  await sql.end()
  const longest = waits.reduce((most, wait) => Math.max(most, wait), 0)
  return `| \`${name}\` | ${seconds.toFixed(1)} | ${(longest / 1000).toFixed(2)} | ${waits.length} |`
}

/** Milliseconds that each statement took. */
async function write(sql: Sql, signal: AbortSignal): Promise<number[]> {
  const waits: number[] = []
  while (!signal.aborted) {
    const id = 1 + Math.floor(Math.random() * rows)
    for (const statement of load) {
      const askedAt = performance.now()
      await sql.unsafe(statement, [id])
      waits.push(performance.now() - askedAt)
    }
  }
  return waits
}
