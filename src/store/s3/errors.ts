import { StowageError } from '#domain/errors.ts'
import { connectionAdvice } from './connection-failures.ts'

/** What S3 and its SDK tell of a failure. */
interface Refusal {
  /** S3's error code, for example `NoSuchKey`; or the name of the SDK's or Node's error. */
  name?: string
  $metadata?: { httpStatusCode?: number }
}

/** The HTTP status the store answered with, or `undefined` when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  return (error as Refusal | undefined)?.$metadata?.httpStatusCode
}

/** Whether the store said that there is no such object, upload or version. A missing bucket is another matter. */
export function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && (error as Refusal).name !== 'NoSuchBucket'
}

/** An empty list, from a store that answers with 404 `NoSuchUpload` where there are no uploads to be listed. */
export function noneIfAbsent(error: unknown): Record<string, never> {
  if (isAbsent(error)) return {}
  throw error
}

/** Whether our credentials do not allow the operation. */
export function isDenied(error: unknown): boolean {
  return statusOf(error) === 403
}

/** Whether the store has no such operation. */
export function isNotImplemented(error: unknown): boolean {
  return statusOf(error) === 405 || statusOf(error) === 501
}

/** Why a bucket cannot be used, naming the setting to fix, without secrets. */
export function explainCheck(error: unknown, bucket: string, place: string): StowageError {
  return new StowageError('storage_unavailable', reasonOf(error, bucket, place), { cause: error })
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
      return `The bucket ${bucket} is not to be reached like this at ${place}: correct S3_REGION, S3_ENDPOINT or S3_BUCKET.`
    case undefined:
      if ((error as Refusal | undefined)?.name === 'CredentialsProviderError')
        return 'There are no credentials for the object store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.'
      return `The object store does not answer at ${place}: ${connectionAdvice(error) ?? 'correct S3_ENDPOINT, or start the store'}.`
    default:
      return `The object store at ${place} answers ${statusOf(error)}: look into its logs, or correct S3_ENDPOINT.`
  }
}
