import type { Contender } from './contenders/contender.ts'
import { type Figures, measure } from './measure.ts'
import type { Scenario } from './scenarios/scenario.ts'
import type { Stage } from './stage.ts'

/** All measurements of one contender in one scenario. */
export interface Result {
  scenario: Scenario
  contender: Contender
  /** One of each round. */
  rounds: Figures[]
  /** Why it could not be measured; it is not tried again then. */
  failure?: string
}

/** Measures all contenders once, then all of them again: what else the machine does hits all alike. */
export async function measureScenario(stage: Stage, scenario: Scenario): Promise<Result[]> {
  const results: Result[] = scenario.contenders.map((contender) => ({ scenario, contender, rounds: [] }))
  for (let round = 1; round <= scenario.rounds; round += 1) {
    for (const result of results) {
      stage.signal.throwIfAborted()
      console.error(`${scenario.name}, round ${round} of ${scenario.rounds}: ${result.contender.name}`)
      if (result.failure === undefined) await measureOnce(stage, result)
    }
  }
  return results
}

async function measureOnce(stage: Stage, result: Result): Promise<void> {
  try {
    result.rounds.push(await measure(stage, result.scenario, result.contender))
  } catch (error) {
    stage.signal.throwIfAborted()
    result.failure = messageOf(error)
    console.error(`  failed: ${result.failure}`)
  }
}

/** What went wrong first, and what went wrong while cleaning up after it. */
function messageOf(error: unknown): string {
  if (error instanceof SuppressedError) return `${messageOf(error.suppressed)}; then: ${messageOf(error.error)}`
  return error instanceof Error ? error.message : String(error)
}
