import { StowageError } from '#domain/errors.ts'
import { putFailed, storeFull, storeUnavailable } from '#store/errors.ts'
import { adviceFor, adviceForLog, connectionAdvice, statusOf } from './advice.ts'
import { saysDiskFull } from './http/failure.ts'

/** Whether the store responded that there is no such object, upload or version. A missing bucket does not count. */
export function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket'
}

/** An empty list, from a store that responds with 404 `NoSuchUpload` when there are no uploads to list. */
export function noneIfAbsent(error: unknown): Record<string, never> {
  if (isAbsent(error)) return {}
  throw error
}

/** For `catch`: `undefined` for an object, upload or version that does not exist. */
export function ignoreAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error
}

/** Whether the credentials do not allow the operation. */
export function isDenied(error: unknown): boolean {
  return statusOf(error) === 403
}

/** Whether the store does not have the operation. */
export function isNotImplemented(error: unknown): boolean {
  return statusOf(error) === 405 || statusOf(error) === 501
}

/** The error of a failed call of the store: the signal's reason when that has aborted, else the result of `explain`. */
export function translateError(error: unknown, signal: AbortSignal, explain = explainFailure): unknown {
  if (signal.aborted) return signal.reason
  return error instanceof StowageError ? error : explain(error)
}

/** The error of a failed call that stores. */
export function explainPutFailure(error: unknown): StowageError {
  return refusalOf(error) ?? putFailed(error)
}

/** The error of any other failed call. */
export function explainFailure(error: unknown): StowageError {
  return refusalOf(error) ?? storeUnavailable(error)
}

/** Why a bucket cannot be used: names the setting to fix, without secrets. */
export function explainCheck(error: unknown, bucket: string, place: string): StowageError {
  return new StowageError('storage_unavailable', reasonOf(error, bucket, place), { cause: error })
}

/** Statuses of refusals that pass: too many requests, two at once for one key, a response that took too long. */
const transientStatuses = new Set([408, 409, 423, 425, 429])

/** Error codes of a store without room. */
const fullCodes = new Set([
  'XMinioStorageFull',
  'InsufficientStorage',
  'QuotaExceeded',
  'XMinioAdminBucketQuotaExceeded',
])

/**
 * The error for a refusal that a second request would meet again; `undefined` for any other failure. The client's message says
 * that trying again does not help. The log gets the store's own code, and the operator's remedy where it is known.
 */
function refusalOf(error: unknown): StowageError | undefined {
  const status = statusOf(error)
  if (status === undefined) return undefined
  const { name, message } = error as Error
  if (status === 507 || fullCodes.has(name) || saysDiskFull(message)) return storeFull(error)
  if ((status < 300 || status >= 500 || transientStatuses.has(status)) && status !== 501) return undefined
  const forClient =
    name === 'EntityTooLarge'
      ? 'The object store does not take a file of this size. Send a smaller one, or tell the operator.'
      : 'The object store refuses this, and would again. Tell the operator: the log of the server says why.'
  const forLog = `The store answers ${status} ${name}: ${message}. ${adviceForLog(error) ?? ''}`.trim()
  const cause = Object.assign(new Error(forLog, { cause: error }), { name })
  return new StowageError('storage_unavailable', forClient, { cause })
}

function reasonOf(error: unknown, bucket: string, place: string): string {
  switch (statusOf(error)) {
    case 404:
      return `There is no bucket ${bucket} at ${place}: create it, or correct S3_BUCKET.`
    case 401:
    case 403:
      return (
        `The object store at ${place} denies access to the bucket ${bucket}: ` +
        'correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what they may do.'
      )
    case 301:
    case 307:
    case 400:
      return (
        adviceFor(error) ??
        `The bucket ${bucket} is not to be reached like this at ${place}: correct S3_REGION, S3_ENDPOINT or S3_BUCKET.`
      )
    case undefined:
      if ((error as Error | undefined)?.name === 'CredentialsProviderError')
        return 'There are no credentials for the object store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.'
      return `The object store does not answer at ${place}: ${connectionAdvice(error) ?? 'correct S3_ENDPOINT, or start the store'}.`
    default:
      return `The object store at ${place} answers ${statusOf(error)}: look into its logs, or correct S3_ENDPOINT.`
  }
}
