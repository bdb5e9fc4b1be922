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
