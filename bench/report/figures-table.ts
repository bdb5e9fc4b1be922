import type { Result } from '../rounds.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import type { Scoreboard } from './scoreboard.ts'
import type { Summary } from './summary.ts'
import { textTable } from './text-table.ts'

const head = ['scenario', 'server', 'CPU/floor', 'CPU/raw', 'RSS/raw', 'rate', 'p50', 'p99', 'CPU', 'peak RSS']

/** One row for each server in each scenario, and one for the floor that is put together from others. */
export function figuresTable(scenarios: Scenario[], results: Result[], board: Scoreboard): string {
  const rows = scenarios.flatMap((scenario) => {
    const own = results.filter((result) => result.scenario === scenario)
    const floors = own.filter(({ contender }) => contender.kind === 'floor')
    const rest = own.filter(({ contender }) => contender.kind !== 'floor')
    return [
      ...floors.map((result) => rowOf(result, board)),
      ...combinedRow(scenario, board),
      ...rest.map((result) => rowOf(result, board)),
    ]
  })
  return textTable(head, rows, 2)
}

function rowOf({ scenario, contender, failure }: Result, board: Scoreboard): string[] {
  const { name } = scenario
  const summary = board.summary(name, contender)
  if (summary === undefined) return [name, contender.name, failure === undefined ? '' : 'FAILED']
  const isFloor = contender.kind === 'floor'
  const ratios = isFloor
    ? ['', '', '']
    : [
        board.cpuOverCombined(name, contender),
        board.cpuOverRaw(name, contender),
        board.peakOverRaw(name, contender),
      ].map(times)
  return [name, contender.name, ...ratios, ...figuresOf(scenario, summary)]
}

function figuresOf({ cpuPer }: Scenario, summary: Summary): string[] {
  const { requestsPerSecond, megabytesPerSecond, p50, p99, cpu, peakMegabytes } = summary
  const isSmall = cpuPer === 'request'
  const rate = isSmall ? `${requestsPerSecond.toFixed()} /s` : `${megabytesPerSecond.toFixed()} MB/s`
  return [rate, milliseconds(p50), milliseconds(p99), cpuText(cpuPer, cpu), `${peakMegabytes.toFixed()} MB`]
}

function combinedRow({ name, cpuPer }: Scenario, board: Scoreboard): string[][] {
  const cpu = board.combinedFloor(name)
  if (cpu === undefined) return []
  return [[name, 'floor: parse + sha256 + put', '', '', '', '', '', '', cpuText(cpuPer, cpu), '']]
}

/** A ratio. */
export function times(ratio: number | undefined): string {
  return ratio === undefined ? '' : `${ratio.toFixed(2)}×`
}

function cpuText(cpuPer: Scenario['cpuPer'], cpu: number): string {
  return cpuPer === 'GiB' ? `${cpu.toFixed(2)} s/GiB` : `${cpu.toFixed(2)} ms`
}

function milliseconds(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`
}
