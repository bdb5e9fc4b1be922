import { statusOf } from './errors.ts'

/** The innermost cause of an error: what the store itself said. */
export function rootCause(error: unknown): Error {
  const { cause } = error as Error
  return cause instanceof Error ? rootCause(cause) : (error as Error)
}

/** By S3's error code: what an operator can do about a refusal that no other way of sending would change. */
const advices: Readonly<Record<string, string>> = {
  AccessDenied:
    'Allow s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListBucket and s3:ListBucketMultipartUploads, as the README says.',
  AuthorizationHeaderMalformed: 'Correct S3_REGION.',
  EntityTooLarge: 'Lower MAX_FILE_SIZE to what the store takes in one request.',
  ExpiredToken: 'Give a new AWS_SESSION_TOKEN.',
  InvalidAccessKeyId: 'Correct AWS_ACCESS_KEY_ID.',
  MethodNotAllowed: 'Correct S3_ENDPOINT: that is no object store, or one without this operation.',
  NoSuchBucket: 'Create the bucket, or correct S3_BUCKET.',
  PermanentRedirect: 'Correct S3_REGION or S3_ENDPOINT.',
  QuotaExceeded: 'Raise the quota of the bucket, or make room in it.',
  RequestTimeTooSkewed: 'Synchronise the clock of this machine (NTP).',
  SignatureDoesNotMatch: 'Correct AWS_SECRET_ACCESS_KEY; and no proxy on the way may change a request.',
  SlowDown: 'The store is overloaded: try again later.',
}

/** The codes of stores that know no trailers, or no `If-None-Match`, and refuse every upload alike. */
const aboutSending: ReadonlySet<string> = new Set([
  'InvalidArgument',
  'InvalidRequest',
  'NotImplemented',
  'XAmzContentSHA256Mismatch',
])

const otherSettings =
  'If it refuses every upload, set S3_CHECKSUMS=off, or S3_CONDITIONAL_WRITES=false, or both: `stowage doctor` finds out which.'

/** The SDK's names for an answer without a body, as one to a HEAD is. */
const namesWithoutCode: ReadonlySet<string> = new Set(['Unknown', 'UnknownError', 'Forbidden', '403'])

/** What helps against a refusal whose cause lies outside the way of sending; `undefined` for any other failure. */
export function adviceFor(error: unknown): string | undefined {
  const told = rootCause(error)
  const isBareDenial = statusOf(told) === 403 && namesWithoutCode.has(told.name)
  return isBareDenial ? advices.AccessDenied : advices[told.name]
}

/** The same for somebody who cannot try the other ways of sending: names the settings that may help. */
export function adviceForLog(error: unknown): string | undefined {
  return adviceFor(error) ?? (aboutSending.has(rootCause(error).name) ? otherSettings : undefined)
}
