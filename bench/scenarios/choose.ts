import { type Options, UsageError } from '../options.ts'
import { fullScenarios } from './full.ts'
import { quickScenarios } from './quick.ts'
import type { Scenario } from './scenario.ts'

/** The scenarios that the options ask for. @throws UsageError when there is none of that name */
export function scenariosFor({ quick, only, profile }: Options): Scenario[] {
  const all = quick ? quickScenarios : fullScenarios
  const wanted = all.filter(({ name }) => name.includes(only))
  if (wanted.length === 0)
    throw new UsageError(`No scenario has ${only} in its name: ${all.map(({ name }) => name).join(', ')}`)
  return profile ? wanted.map(ofStowageAlone) : wanted
}

/** Under the profiler figures mean nothing, so there is nothing to compare and nothing to repeat. */
function ofStowageAlone(scenario: Scenario): Scenario {
  return { ...scenario, rounds: 1, contenders: scenario.contenders.filter(({ kind }) => kind === 'stowage') }
}
