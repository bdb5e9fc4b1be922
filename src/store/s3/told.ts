import { StowageError } from '../../errors.ts'
import { notAnswered, notStored } from '../unavailable.ts'
import { refusal } from './refusals.ts'

/** What a failed call is told as: the signal's reason when it was aborted, else what `explain` makes of it. */
export function toldAs(error: unknown, signal: AbortSignal, explain = unanswered): unknown {
  if (signal.aborted) return signal.reason
  return error instanceof StowageError ? error : explain(error)
}

/** What a call that stores is told as. */
export function unstored(error: unknown): StowageError {
  return refusal(error) ?? notStored(error)
}

/** What any other call is told as. */
export function unanswered(error: unknown): StowageError {
  return refusal(error) ?? notAnswered(error)
}
