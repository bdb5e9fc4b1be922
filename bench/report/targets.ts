import type { Contender } from '../contenders/contender.ts'
import { multerS3, rawGet, sdkGet } from '../contenders/floors.ts'
import { declaredForm, download, form, put } from '../contenders/stowage.ts'
import type { ScenarioName } from '../scenarios/scenario.ts'
import { times } from './figures-table.ts'
import type { Scoreboard } from './scoreboard.ts'
import { textTable } from './text-table.ts'

interface Measure {
  name: string
  of(board: Scoreboard, scenario: ScenarioName, contender: Contender): number | undefined
  text(value: number): string
  /** Whether more is better. */
  isRate?: true
}

const cpuOverCombined: Measure = {
  name: 'CPU / (parse + sha256 + put)',
  of: (board, scenario, contender) => board.cpuOverCombined(scenario, contender),
  text: times,
}

const cpuOver = (other: Contender): Measure => ({
  name: `CPU / ${other.name}`,
  of: (board, scenario, contender) => board.cpuOver(other, scenario, contender),
  text: times,
})

const rateOver = (other: Contender): Measure => ({
  name: `requests per second / ${other.name}`,
  of: (board, scenario, contender) => board.rateOver(other, scenario, contender),
  text: times,
  isRate: true,
})

const peak: Measure = {
  name: 'peak RSS',
  of: (board, scenario, contender) => board.summary(scenario, contender)?.peakMegabytes,
  text: (megabytes) => `${megabytes.toFixed()} MB`,
}

/** Each: scenario, server, what is measured, the most it should be; of a rate, the least. */
const targets: [ScenarioName, Contender, Measure, number][] = [
  ['small upload', form, cpuOver(multerS3), 1],
  ['small upload', form, rateOver(multerS3), 1],
  ['small upload', put, cpuOver(multerS3), 0.9],
  ['medium upload', form, cpuOver(multerS3), 1],
  ['small download', download, cpuOver(sdkGet), 0.9],
  ['large upload', form, cpuOverCombined, 1.15],
  ['large upload', declaredForm, cpuOverCombined, 1.15],
  ['large upload', put, cpuOverCombined, 1.15],
  ['parallel upload', form, cpuOverCombined, 1.4],
  ['large download', download, cpuOver(rawGet), 1.1],
  ['slow upload', form, peak, 750],
  ['slow upload', declaredForm, peak, 220],
  ['slow upload', put, peak, 220],
]

const head = ['scenario', 'server', 'measure', 'target', 'measured', '']

/** What was aimed at and what came out, for the scenarios that were measured. */
export function targetsTable(scenarios: ScenarioName[], board: Scoreboard): string {
  const rows = targets
    .filter(([scenario]) => scenarios.includes(scenario))
    .map(([scenario, contender, measure, target]) => {
      const value = measure.of(board, scenario, contender)
      const isMet = (is: number) => (measure.isRate ? is >= target : is <= target)
      const verdict = value === undefined ? 'not measured' : isMet(value) ? 'met' : 'MISSED'
      const measured = value === undefined ? '' : measure.text(value)
      const wanted = `${measure.isRate ? '≥' : '≤'} ${measure.text(target)}`
      return [scenario, contender.name, measure.name, wanted, measured, verdict]
    })
  return textTable(head, rows, 3)
}
