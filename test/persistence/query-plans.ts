import postgres from 'postgres'
import type { Test } from 'tap'
import { readMessages } from '../kit/postgres-replies.ts'
import { openTcpLine } from '../kit/tcp-line.ts'

/** A step of a plan, as Postgres tells it after it was run. */
export interface Step {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Index Recheck'?: number
  Plans?: Step[]
}

/** One run of a statement. */
export interface Run {
  /** In Postgres, without the way there. */
  milliseconds: number
  plan: Step
}

/** What Postgres tells on the connections of a tapped way to it. */
export interface Tapped {
  url: string
  /** Runs by the text of their statement: the first ones, and those that took long. */
  runs: ReadonlyMap<string, Run[]>
}

/** Of each statement so many runs are looked at whatever they took. */
const firstRuns = 50

/** Milliseconds; runs that took longer are all looked at. */
const longRun = 50

const message = /^duration: ([\d.]+) ms {2}plan:\n/

/**
 * A way to a database on which Postgres tells the plan of every statement after it was run, those of triggers, functions and
 * foreign keys included. The plans come as notices, which are read on their way.
 * @param settings of each connection, beside those
 */
export async function tapPlans(t: Test, databaseUrl: string, settings: Record<string, string>): Promise<Tapped> {
  const runs = new Map<string, Run[]>()
  const line = await openTcpLine(t, databaseUrl, { readReplies: () => noticesOf((text) => note(runs, text)) })
  await explainAll(databaseUrl, settings)
  return { url: line.url, runs }
}

/** From now on new connections to the database tell their plans. */
async function explainAll(databaseUrl: string, settings: Record<string, string>): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 })
  try {
    const [version] = await sql<{ number: number }[]>`select current_setting('server_version_num')::integer as number`
    // Older ones tell no parameters.
    const parameters = (version?.number ?? 0) < 160_000 ? {} : { 'auto_explain.log_parameter_max_length': '0' }
    const all = {
      session_preload_libraries: 'auto_explain',
      'auto_explain.log_min_duration': '0',
      'auto_explain.log_analyze': 'on',
      'auto_explain.log_timing': 'off',
      'auto_explain.log_nested_statements': 'on',
      'auto_explain.log_format': 'json',
      'auto_explain.log_level': 'notice',
      ...parameters,
      ...settings,
    }
    const name = new URL(databaseUrl).pathname.slice(1)
    for (const [setting, value] of Object.entries(all))
      await sql.unsafe(`alter database ${name} set ${setting} = '${value}'`)
  } finally {
    await sql.end()
  }
}

/** Calls `tell` with the text of each notice. */
function noticesOf(tell: (text: string) => void): (bytes: Buffer) => void {
  return readMessages((letter, content) => {
    if (letter === 'N') tell(textOfNotice(content.toString('utf8')))
  })
}

/** The field `M` of those of a notice. */
function textOfNotice(fields: string): string {
  const field = fields.split('\0').find((field) => field.startsWith('M'))
  return field?.slice(1) ?? ''
}

function note(runs: Map<string, Run[]>, text: string): void {
  const found = message.exec(text)
  if (!found) return
  const milliseconds = Number(found[1])
  // The text of the statement comes first, on a line of its own.
  const begin = text.indexOf('"Query Text": ')
  const statement = JSON.parse(
    text.slice(begin + '"Query Text": '.length, text.indexOf('\n', begin)).replace(/,\s*$/, ''),
  )
  const known = runs.get(statement) ?? []
  runs.set(statement, known)
  if (known.length < firstRuns || milliseconds > longRun)
    known.push({ milliseconds, plan: JSON.parse(text.slice(found[0].length)).Plan })
}
