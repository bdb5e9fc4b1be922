import { cp, mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { textTable } from '../../bench/report/text-table.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { Violation } from './workload/journal.ts'

/** What came of a campaign. */
export interface Result {
  campaign: string
  kills: number
  uploads: number
  deletes: number
  violations: readonly Violation[]
  /** Attempts whose server was dead, and that the recovery ended. */
  recovered: number
  /** Seconds that the longest recovery took. */
  recovery: number
  /** Requests that were answered with 5xx, and that broke off. */
  refused: number
  broken: number
  seconds: number
  /** Why it came to no end. */
  failure?: string
}

const kinds = ['lost', 'wrong', 'orphaned'] as const

export function tableOf(results: readonly Result[]): string {
  const head = ['campaign', 'kills', 'uploads acknowledged', 'deletes acknowledged', ...kinds]
  const more = ['recovered', 'longest recovery', '5xx', 'broken off', 'minutes']
  const rows = results.map(({ campaign, ...result }) => [campaign, ...cellsOf(result)])
  return textTable([...head, ...more], [...rows, ['all', ...cellsOf(sumOf(results))]], 1)
}

function cellsOf(result: Omit<Result, 'campaign'>): string[] {
  const counts = kinds.map((kind) => result.violations.filter((violation) => violation.kind === kind).length)
  const recovery = `${result.recovery.toFixed(1)} s`
  const figures = [result.kills, result.uploads, result.deletes, ...counts]
  return [
    ...figures.map(String),
    ...[
      String(result.recovered),
      recovery,
      String(result.refused),
      String(result.broken),
      (result.seconds / 60).toFixed(1),
    ],
  ]
}

function sumOf(results: readonly Result[]): Omit<Result, 'campaign'> {
  const sum = (figure: (result: Result) => number) => results.reduce((total, result) => total + figure(result), 0)
  return {
    kills: sum(({ kills }) => kills),
    uploads: sum(({ uploads }) => uploads),
    deletes: sum(({ deletes }) => deletes),
    violations: results.flatMap(({ violations }) => violations),
    recovered: sum(({ recovered }) => recovered),
    recovery: Math.max(0, ...results.map(({ recovery }) => recovery)),
    refused: sum(({ refused }) => refused),
    broken: sum(({ broken }) => broken),
    seconds: sum(({ seconds }) => seconds),
  }
}

/** Most violations of one kind that are printed in full: what has gone wrong once often does so many times. */
const mostTold = 5

/** Tells what has gone wrong and what the replicas last said, and keeps the logs. */
export async function tellViolations(violations: readonly Violation[], cluster: Cluster): Promise<void> {
  for (const kind of kinds) {
    const found = violations.filter((violation) => violation.kind === kind)
    for (const { text } of found.slice(0, mostTold)) console.error(`\n${kind.toUpperCase()}: ${text}`)
    if (found.length > mostTold) console.error(`\n… and ${found.length - mostTold} more ${kind}`)
  }
  await tellLogs(cluster)
}

export async function tellLogs({ replicas, directory }: Cluster): Promise<void> {
  for (const replica of replicas) console.error(`\nThe last that ${replica.name} logged:\n${await replica.tail()}`)
  const kept = await mkdtemp(join(tmpdir(), 'stowage-crash-logs-'))
  const logs = (await readdir(directory)).filter((name) => name.endsWith('.log'))
  for (const name of logs) await cp(join(directory, name), join(kept, name))
  console.error(`\nAll logs are kept in ${kept}`)
}
