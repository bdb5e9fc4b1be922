import type { Contender } from '../contenders/contender.ts'
import { discard, multipart, rawGet, rawPut, sha256 } from '../contenders/floors.ts'
import type { Result } from '../rounds.ts'
import type { ScenarioName } from '../scenarios/scenario.ts'
import { type Summary, summarize } from './summary.ts'

/** Looks up what was measured, and what it is compared with. `undefined` stands for what was not measured. */
export class Scoreboard {
  readonly #summaries = new Map<string, Summary>()

  constructor(results: Result[]) {
    for (const result of results) {
      const summary = summarize(result)
      if (summary) this.#summaries.set(keyOf(result.scenario.name, result.contender), summary)
    }
  }

  summary(scenario: ScenarioName, contender: Contender): Summary | undefined {
    return this.#summaries.get(keyOf(scenario, contender))
  }

  /** CPU of parsing, hashing and putting alone: what receiving costs is in each of the measured parts, and counts once. */
  combinedFloor(scenario: ScenarioName): number | undefined {
    const cpu = (contender: Contender) => this.summary(scenario, contender)?.cpu ?? Number.NaN
    const receiving = cpu(discard)
    return defined(cpu(multipart) + (cpu(sha256) - receiving) + (cpu(rawPut) - receiving))
  }

  /** The server that only moves the bytes: one PutObject, or one GetObject. */
  raw(scenario: ScenarioName): Summary | undefined {
    return this.summary(scenario, rawPut) ?? this.summary(scenario, rawGet)
  }

  cpuOverCombined(scenario: ScenarioName, contender: Contender): number | undefined {
    return ratio(this.summary(scenario, contender)?.cpu, this.combinedFloor(scenario))
  }

  /** CPU over that of another server. */
  cpuOver(other: Contender, scenario: ScenarioName, contender: Contender): number | undefined {
    return ratio(this.summary(scenario, contender)?.cpu, this.summary(scenario, other)?.cpu)
  }

  /** Requests per second over those of another server. */
  rateOver(other: Contender, scenario: ScenarioName, contender: Contender): number | undefined {
    return ratio(this.summary(scenario, contender)?.requestsPerSecond, this.summary(scenario, other)?.requestsPerSecond)
  }

  cpuOverRaw(scenario: ScenarioName, contender: Contender): number | undefined {
    return ratio(this.summary(scenario, contender)?.cpu, this.raw(scenario)?.cpu)
  }

  peakOverRaw(scenario: ScenarioName, contender: Contender): number | undefined {
    return ratio(this.summary(scenario, contender)?.peakMegabytes, this.raw(scenario)?.peakMegabytes)
  }
}

function keyOf(scenario: ScenarioName, { name }: Contender): string {
  return `${scenario}: ${name}`
}

function ratio(value: number | undefined, floor: number | undefined): number | undefined {
  return value === undefined || floor === undefined ? undefined : defined(value / floor)
}

function defined(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value
}
