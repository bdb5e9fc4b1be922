import type { Options } from '../options.ts'
import type { Result } from '../rounds.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { figuresTable } from './figures-table.ts'
import { Scoreboard } from './scoreboard.ts'
import { summarize } from './summary.ts'
import { targetsTable } from './targets.ts'

export interface Report {
  options: Options
  /** Of machine and programs. */
  description: string
  scenarios: Scenario[]
  results: Result[]
  /** Folder with CPU profiles, if there are any. */
  profiles: string | undefined
}

const legend = `CPU and peak RSS are those of the server's process alone; medians of the rounds; MB are 1,000,000 bytes.
CPU/floor: over parse + sha256 + put. CPU/raw, RSS/raw: over the server that only moves the bytes, raw put or raw get.`

/** Everything a run has to say. */
export function report({ options, description, scenarios, results, profiles }: Report): string {
  const board = new Scoreboard(results)
  const names = scenarios.map(({ name }) => name)
  const targets = targetsTable(names, board)
  const paragraphs = [
    description,
    options.quick ? 'QUICK: small loads, measured once. The figures are rough.' : '',
    figuresTable(scenarios, results, board),
    legend,
    profiles === undefined
      ? targets
      : `PROFILED: the figures are not those of a normal run. The profiles are in ${profiles}`,
    ...results.map(failureOf),
  ]
  return `\n${paragraphs.filter((text) => text !== '').join('\n\n')}`
}

function failureOf({ scenario, contender, failure }: Result): string {
  return failure === undefined ? '' : `FAILED: ${scenario.name}, ${contender.name}: ${failure}`
}

/** The same figures for programs, with those of each round. */
export function reportJson(description: string, results: Result[]): string {
  const rows = results.map((result) => {
    const { scenario, contender, rounds, failure } = result
    const measured = rounds.map(({ latencies, ...figures }) => figures)
    return {
      scenario: scenario.name,
      server: contender.name,
      ...{ cpuPer: scenario.cpuPer, median: summarize(result), rounds: measured, failure },
    }
  })
  return `${JSON.stringify({ description: description.split('\n'), results: rows }, null, 2)}\n`
}
