import { StowageError } from '#domain/errors.ts'
import { putFailed, storeUnavailable } from '#store/errors.ts'
import { refusal } from './refusals.ts'

/** The error for a call of the store that failed: the signal's reason when that was aborted, else the result of `explain`. */
export function translateError(error: unknown, signal: AbortSignal, explain = explainFailure): unknown {
  if (signal.aborted) return signal.reason
  return error instanceof StowageError ? error : explain(error)
}

/** The error for a call that stores. */
export function explainPutFailure(error: unknown): StowageError {
  return refusal(error) ?? putFailed(error)
}

/** The error for any other call. */
export function explainFailure(error: unknown): StowageError {
  return refusal(error) ?? storeUnavailable(error)
}
