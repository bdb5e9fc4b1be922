import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'
import { lintMigration, skipWithoutSquawk } from './migration-lint.ts'

const folder = new URL('../../migrations/', import.meta.url)

/** The last migration that was published before these rules. */
const lastExempt = '0008'

t.test('no migration stops a running service', { skip: skipWithoutSquawk }, async (t) => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql') && name.slice(0, 4) > lastExempt)
  t.ok(names.length)
  for (const name of names)
    t.strictSame(lintMigration(await readFile(new URL(name, folder), 'utf8')), [], `${name}, see docs/migrations.md`)
})

const refused = {
  'create index "a" on "t" ("x");': 'require-concurrent-index-creation',
  'create unique index "a" on "t" ("x");': 'require-concurrent-index-creation',
  'drop index "a";': 'require-concurrent-index-deletion',
  'reindex table "t";': 'require-concurrent-reindex',
  'create index concurrently if not exists "a" on "t" ("x");': 'outside-only',
  'alter table "t" add constraint "c" check ("x" > 0);': 'constraint-missing-not-valid',
  'alter table "t" add constraint "c" foreign key ("x") references "u" ("id");': 'constraint-missing-not-valid',
  'alter table "t" add constraint "c" unique ("x");': 'disallowed-unique-constraint',
  'alter table "t" validate constraint "c";': 'outside-only',
  'alter table "t" alter column "x" type bigint;': 'changing-column-type',
  'alter table "t" alter column "x" set not null;': 'adding-not-nullable-field',
  'alter table "t" add column "x" bigint not null;': 'adding-required-field',
  'alter table "t" add column "x" uuid default gen_random_uuid();': 'adding-field-with-default',
  'alter table "t" add column "x" timestamptz default clock_timestamp();': 'adding-field-with-default',
  'alter table "t" add column "x" bigint generated always as identity;': 'adding-field-with-default',
  'alter table "t" add column "x" bigint generated always as ("y" + 1) stored;': 'adding-field-with-default',
  'alter table "t" add column "x" bigint references "u" ("id");': 'adding-foreign-key-constraint',
  'alter table "t" add column "x" bigint check ("x" > 0);': 'scans-for-column',
  'alter table "t" add column "x" bigint unique;': 'disallowed-unique-constraint',
  'alter table "t" rename column "x" to "y";': 'renaming-column',
  'alter table "t" rename to "u";': 'renaming-table',
  'alter table "t" drop column "x";': 'ban-drop-column',
  'drop table "t";': 'ban-drop-table',
  'update "t" set "x" = 1;': 'changes-rows',
  'delete from "t" where "x" = 1;': 'changes-rows',
  'cluster "t" using "a";': 'rewrites-table',
  'alter table "t" set unlogged;': 'rewrites-table',
}

const refusedOutside = {
  'create index concurrently "a" on "t" ("x");': 'once-more',
  'create index if not exists "a" on "t" ("x");': 'require-concurrent-index-creation',
  'drop index concurrently "a";': 'once-more',
  'alter table "t" add constraint "c" check ("x" > 0) not valid;': 'once-more',
  'drop index concurrently if exists "a"; drop index concurrently if exists "b";': 'once-more',
}

const allowed = [
  'create table "n" ("id" bigint primary key, "x" text check ("x" > \'\'));--> statement-breakpoint\ncreate index "a" on "n" ("x");',
  'create table "n" ("id" bigint);--> statement-breakpoint\nalter table "n" add column "x" bigint check ("x" > 0);',
  'alter table "t" add column "x" bigint;',
  'alter table "t" add column "x" bigint default 0 not null;',
  'alter table "t" add column "x" timestamptz default now() not null;',
  'alter table "t" add constraint "c" check ("x" > 0) not valid;',
  'alter table "t" add constraint "c" foreign key ("x") references "u" ("id") not valid;',
  'alter index "a" rename to "b";',
  '-- No release uses it any more.\n-- squawk-ignore ban-drop-column\nalter table "t" drop column "x";',
]

const allowedOutside = [
  'create index concurrently if not exists "a" on "t" ("x");--> statement-breakpoint\n-- Why.\nalter table "t" validate constraint "c";',
  'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "a" ON "t" ("x");--> statement-breakpoint\ndrop index concurrently if exists "b";',
]

const outside = (text: string) => `-- stowage: no transaction\n${text}`

t.test(
  'what a migration must not do is found, and what to write instead is said',
  { skip: skipWithoutSquawk },
  async (t) => {
    const bad = [
      ...Object.entries(refused),
      ...Object.entries(refusedOutside).map(([text, rule]) => [outside(text), rule] as const),
    ]
    for (const [text, rule] of bad) {
      const found = lintMigration(text).filter((line) => line.startsWith(`${rule}: `))
      t.equal(found.length, 1, `${text} ${rule}`)
      t.notMatch(found[0], 'See docs/migrations.md', 'and says what to write')
    }
    for (const text of [...allowed, ...allowedOutside.map(outside)]) t.strictSame(lintMigration(text), [], text)
  },
)
