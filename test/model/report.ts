import type { RunDetails } from 'fast-check'
import type { AnyStep } from './steps/step.ts'

type Details = RunDetails<[Iterable<AnyStep>]>

/** The environment that repeats a failure. */
export function replayOf({ seed, counterexample, counterexamplePath }: Details): string {
  const steps = /replayPath="(.+)"/.exec(String(counterexample?.[0]))?.[1]
  return `MODEL_SEED=${seed} MODEL_PATH=${counterexamplePath} MODEL_STEPS=${steps}`
}

/** The fewest steps that were found to fail. */
export const stepsOf = ({ counterexample }: Details): string[] => [...(counterexample?.[0] ?? [])].map(String)

export const textOf = ({ errorInstance }: Details): unknown =>
  errorInstance instanceof Error ? errorInstance.stack : errorInstance
