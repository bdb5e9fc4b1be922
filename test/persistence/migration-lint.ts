import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { skipWithout } from '../kit/programs.ts'

const squawk = fileURLToPath(new URL('../../node_modules/.bin/squawk', import.meta.url))

/** For the `skip` option of tests that lint: npm installs Squawk's program for some platforms only. */
export const skipWithoutSquawk = skipWithout('Squawk', [squawk, '--version'])

/** Rules of Squawk that the runner makes needless, or that `formsOutside` replaces. */
const excluded = ['require-lock-timeout', 'require-statement-timeout', 'prefer-robust-stmts']

/** What may run outside a transaction. Each can be run twice and stops neither readers nor writers. */
const formsOutside = [
  /^create (unique )?index concurrently if not exists /,
  /^drop index concurrently if exists /,
  /^alter table \S+ validate constraint /,
]

/** What Squawk lets pass in a transaction, and what to do instead. */
const refusedInside = [
  {
    rule: 'outside-only',
    form: / concurrently | validate constraint /,
    help: 'Move it to a file of its own that begins with "-- stowage: no transaction".',
  },
  {
    rule: 'changes-rows',
    form: /^(update|delete from|truncate|insert into \S+ select|merge into) /,
    help: 'Let a worker change the rows in batches; a migration keeps them locked until it ends.',
  },
  {
    rule: 'scans-for-column',
    form: /^alter table \S+ add column .* (check|primary key)\b/,
    help: 'Add the column alone. Add a check with "add constraint ... not valid", an index with "concurrently".',
  },
  {
    rule: 'rewrites-table',
    form: /^(cluster|vacuum|alter table \S+ set (logged|unlogged|tablespace|access method))\b/,
    help: 'Copy the rows to a new table by a worker: this locks the table while it is written anew.',
  },
] as const

const contract =
  'The release before may still use it. Stop using it in one release, and in the next write "-- squawk-ignore" with the rule and why nobody uses it.'
const expand =
  'Add a new one, write both, let a worker fill the old rows, and drop the old one a release after it is last used.'

/** For rules of Squawk that say only what is wrong. */
const helps: Record<string, string> = {
  'renaming-column': expand,
  'renaming-table': expand,
  'changing-column-type': expand,
  'ban-drop-column': contract,
  'ban-drop-table': contract,
}

/**
 * What in the text of a migration stops a running service, each with the rule and what to write instead. Squawk allows a statement
 * for the comment `-- squawk-ignore <rule>` in the line before it.
 */
export function lintMigration(text: string): string[] {
  const isOnline = /^-- stowage: no transaction$/m.test(text)
  const statements = text.split('--> statement-breakpoint').map(normalized)
  const created = statements.flatMap((statement) => /^create table (\S+)/.exec(statement)?.[1] ?? [])
  const isOld = (statement: string) => !created.some((table) => statement.includes(` ${table} `))
  const own = isOnline
    ? statements.flatMap(lintOutside)
    : statements
        .filter(isOld)
        .flatMap((statement) =>
          refusedInside
            .filter(({ form }) => form.test(statement))
            .map(({ rule, help }) => `${rule}: ${statement}: ${help}`),
        )
  return [...own, ...lintBySquawk(text, isOnline)]
}

/** In lower case, without comments, in single spaces. */
function normalized(statement: string): string {
  const words = statement
    .replace(/^--.*$/gm, '')
    .trim()
    .split(/\s+/)
  return words.join(' ').toLowerCase()
}

function lintOutside(statement: string): string[] {
  const isOne = statement.indexOf(';') === statement.length - 1 || !statement.includes(';')
  if (isOne && formsOutside.some((form) => form.test(statement))) return []
  const help =
    'Outside a transaction, write one of "create index concurrently if not exists", "drop index concurrently if exists" and "alter table ... validate constraint" between two breakpoints; move everything else to a file of its own.'
  return [`once-more: ${statement}: ${help}`]
}

interface Finding {
  line: number
  message: string
  help: string | null
  rule_name: string
}

function lintBySquawk(text: string, isOnline: boolean): string[] {
  const inTransaction = isOnline ? [] : ['--assume-in-transaction']
  const args = [...inTransaction, '--exclude', excluded.join(), '--reporter', 'json', '--pg-version', '14']
  const { stdout, stderr, error } = spawnSync(squawk, args, { input: text, encoding: 'utf8' })
  if (error) throw error
  if (!stdout) throw new Error(stderr)
  const findings: Finding[] = JSON.parse(stdout)
  return findings.map(({ rule_name, line, message, help }) => {
    const advice = help ?? helps[rule_name] ?? 'See docs/migrations.md.'
    return `${rule_name}: line ${line + 1}: ${message} ${advice}`
  })
}
