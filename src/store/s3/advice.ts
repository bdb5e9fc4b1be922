import { statusOf } from './errors.ts'

/** What the store itself said, under everything that was made of it. */
export function storesOwn(error: unknown): Error {
  const { cause } = error as Error
  return cause instanceof Error ? storesOwn(cause) : (error as Error)
}

/** Codes of S3 for what no way of sending would change. */
const advices: Readonly<Record<string, string>> = {
  AccessDenied:
    'Allow s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListBucket and s3:ListBucketMultipartUploads.',
  SignatureDoesNotMatch: 'Correct AWS_SECRET_ACCESS_KEY; and no proxy on the way may change a request.',
  InvalidAccessKeyId: 'Correct AWS_ACCESS_KEY_ID.',
  ExpiredToken: 'Give a new AWS_SESSION_TOKEN.',
  RequestTimeTooSkewed: 'Synchronise the clock of this machine (NTP).',
  QuotaExceeded: 'Raise the quota of the bucket, or make room in it.',
  SlowDown: 'The store is overloaded: try again later.',
}

/** What the SDK calls an answer without a body, as one to a HEAD is. */
const namesWithoutCode: ReadonlySet<string> = new Set(['Unknown', 'UnknownError', 'Forbidden', '403'])

/**
 * What helps against a refusal whose cause lies outside the way of sending, by the store's error code; `undefined` for any other
 * failure.
 */
export function adviceFor(error: unknown): string | undefined {
  const told = storesOwn(error)
  const isBareDenial = statusOf(told) === 403 && namesWithoutCode.has(told.name)
  return isBareDenial ? advices.AccessDenied : advices[told.name]
}

/**
 * The same refusal for the log, with the settings that may be its cause: a store that knows no trailers or no `If-None-Match`
 * refuses every upload alike.
 */
export function withSettings(error: unknown): unknown {
  const status = statusOf(error)
  if (status === undefined || ![400, 405, 411, 501].includes(status) || adviceFor(error) !== undefined) return error
  const { name, message } = error as Error
  return new Error(
    `The store refuses how this is sent: ${status} ${name}: ${message}. If it refuses every upload, set S3_CHECKSUMS=off, ` +
      'S3_CONDITIONAL_WRITES=false or both; `stowage doctor` finds out which.',
    { cause: error },
  )
}
