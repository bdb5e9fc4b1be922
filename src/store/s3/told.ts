import { StowageError } from '#domain/errors.ts'
import { notAnswered, notStored } from '#store/errors.ts'
import { refusal } from './refusals.ts'

/** The error for a call of the store that failed: the signal's reason when that was aborted, else the result of `explain`. */
export function toldAs(error: unknown, signal: AbortSignal, explain = unanswered): unknown {
  if (signal.aborted) return signal.reason
  return error instanceof StowageError ? error : explain(error)
}

/** The error for a call that stores. */
export function unstored(error: unknown): StowageError {
  return refusal(error) ?? notStored(error)
}

/** The error for any other call. */
export function unanswered(error: unknown): StowageError {
  return refusal(error) ?? notAnswered(error)
}
