import { StowageError } from '../../errors.ts'
import { noSpace } from '../unavailable.ts'
import { statusOf } from './errors.ts'

/** Refusals that pass: too many requests, two at once for one key, an answer that took too long. */
const passing = new Set([408, 409, 423, 425, 429])

const full = new Set(['XMinioStorageFull', 'InsufficientStorage', 'QuotaExceeded', 'XMinioAdminBucketQuotaExceeded'])

/** For a store that knows no trailers, or no `If-None-Match`: it refuses every upload alike. */
const otherSettings =
  'If it refuses every upload, set S3_CHECKSUMS=off, or S3_CONDITIONAL_WRITES=false, or both: `stowage doctor` finds out which.'

/** What an operator can do about a refusal, by S3's error code; about others, nothing is known. */
const advice: Record<string, string> = {
  AccessDenied: 'Allow what the README lists to the access key.',
  AuthorizationHeaderMalformed: 'Correct S3_REGION.',
  EntityTooLarge: 'Lower MAX_FILE_SIZE to what the store takes in one request.',
  ExpiredToken: 'Renew AWS_SESSION_TOKEN.',
  InvalidAccessKeyId: 'Correct AWS_ACCESS_KEY_ID.',
  InvalidArgument: otherSettings,
  InvalidRequest: otherSettings,
  MethodNotAllowed: 'Correct S3_ENDPOINT: that is no object store, or one without this operation.',
  NoSuchBucket: 'Create the bucket, or correct S3_BUCKET.',
  NotImplemented: otherSettings,
  PermanentRedirect: 'Correct S3_REGION or S3_ENDPOINT.',
  RequestTimeTooSkewed: 'Set the clock (NTP).',
  SignatureDoesNotMatch: 'Correct AWS_SECRET_ACCESS_KEY.',
  XAmzContentSHA256Mismatch: otherSettings,
}

/**
 * What a refusal that will be the same next time is told as; `undefined` for every other failure. The client hears that
 * trying again does not help; the log gets the store's own code, and what to do about it where that is known.
 */
export function refusal(error: unknown): StowageError | undefined {
  const status = statusOf(error)
  if (status === undefined) return undefined
  const { name, message } = error as Error
  if (status === 507 || full.has(name)) return noSpace(error)
  if ((status < 400 || status >= 500 || passing.has(status)) && status !== 501) return undefined
  const told =
    name === 'EntityTooLarge'
      ? 'The object store does not take a file of this size. Send a smaller one, or tell the operator.'
      : 'The object store refuses this, and would again. Tell the operator: the log of the server says why.'
  const cause = new Error(`The store answers ${status} ${name}: ${message}. ${advice[name] ?? ''}`.trim(), {
    cause: error,
  })
  return new StowageError('storage_unavailable', told, { cause: Object.assign(cause, { name }) })
}
