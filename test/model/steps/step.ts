import fc from 'fast-check'
import type { Model } from '../expected/model.ts'
import { look } from '../promises/api-view.ts'
import { everyKeyHasARow } from '../promises/every-key-has-a-row.ts'
import type { Run } from '../real/run.ts'

/** A kind of step that a run may take. */
export interface Kind<Choice> {
  name: string
  /** What chance decides about it. */
  choices: fc.Arbitrary<Choice>
  /** Whether there is anything to do it with. */
  isPossible?(model: Model, choice: Choice): boolean
  /** Does it, holds the answer against the model, and brings the model up to date. */
  take(model: Model, run: Run, choice: Choice): Promise<void>
}

export type AnyStep = fc.AsyncCommand<Model, Run>

/** Steps of one kind. After each, everything is looked at. */
export function step<Choice>({ name, choices, isPossible, take }: Kind<Choice>): fc.Arbitrary<AnyStep> {
  return choices.map((choice) => ({
    check: (model) => isPossible?.(model, choice) ?? true,
    async run(model, run) {
      run.count(name)
      await take(model, run, choice)
      await Promise.all([look(model, run), everyKeyHasARow(run.stage)])
    },
    toString: () => `${name}(${fc.stringify(choice)})`,
  }))
}

/** Which of the servers. */
export const replicas = fc.nat(1)

/** One of however many there are. */
export const anyOne = fc.nat(1000)

/** How much of a body; quite often as much as can be sent without it being whole. */
export const shares = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constant(1))
