import type { Contender } from '../contenders/contender.ts'
import { declaredForm, download, form, put } from '../contenders/stowage.ts'
import type { ScenarioName } from '../scenarios/scenario.ts'
import { times } from './figures-table.ts'
import type { Scoreboard } from './scoreboard.ts'
import { textTable } from './text-table.ts'

interface Measure {
  name: string
  of(board: Scoreboard, scenario: ScenarioName, contender: Contender): number | undefined
  text(value: number): string
}

const cpuOverCombined: Measure = {
  name: 'CPU / (parse + sha256 + put)',
  of: (board, scenario, contender) => board.cpuOverCombined(scenario, contender),
  text: times,
}

const cpuOverRaw: Measure = {
  name: 'CPU / raw',
  of: (board, scenario, contender) => board.cpuOverRaw(scenario, contender),
  text: times,
}

const peak: Measure = {
  name: 'peak RSS',
  of: (board, scenario, contender) => board.summary(scenario, contender)?.peakMegabytes,
  text: (megabytes) => `${megabytes.toFixed()} MB`,
}

/** Each: scenario, server, what is measured, the most it should be. */
const targets: [ScenarioName, Contender, Measure, number][] = [
  ['large upload', form, cpuOverCombined, 1.35],
  ['large upload', declaredForm, cpuOverCombined, 1.15],
  ['large upload', put, cpuOverCombined, 1.15],
  ['slow upload', form, peak, 650],
  ['slow upload', declaredForm, peak, 220],
  ['slow upload', put, peak, 220],
  ['small upload', form, cpuOverRaw, 2],
  ['small upload', put, cpuOverRaw, 2],
  ['large download', download, cpuOverRaw, 1.1],
  ['small download', download, cpuOverRaw, 1.6],
]

const head = ['scenario', 'server', 'measure', 'target', 'measured', '']

/** What was aimed at and what came out, for the scenarios that were measured. */
export function targetsTable(scenarios: ScenarioName[], board: Scoreboard): string {
  const rows = targets
    .filter(([scenario]) => scenarios.includes(scenario))
    .map(([scenario, contender, measure, target]) => {
      const value = measure.of(board, scenario, contender)
      const verdict = value === undefined ? 'not measured' : value <= target ? 'met' : 'MISSED'
      const measured = value === undefined ? '' : measure.text(value)
      return [scenario, contender.name, measure.name, `≤ ${measure.text(target)}`, measured, verdict]
    })
  return textTable(head, rows, 3)
}
