import { S3Failure } from './http/failure.ts'

/** The HTTP status that the store answered with, or `undefined` when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode
}

/** The innermost cause of an error: the store's own message. */
export function rootCause(error: unknown): Error {
  const { cause } = error as Error
  return cause instanceof Error ? rootCause(cause) : (error as Error)
}

/** The operator's remedy, by S3's error code, for refusals that no other way of sending would avoid. */
const refusalAdvice: Readonly<Record<string, string>> = {
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

/** Error codes of stores that support no trailers or no `If-None-Match`, and therefore refuse every upload. */
const unsupportedRequestCodes: ReadonlySet<string> = new Set([
  'InvalidArgument',
  'InvalidRequest',
  'NotImplemented',
  'XAmzContentSHA256Mismatch',
])

const otherSettings =
  'If it refuses every upload, set S3_CHECKSUMS=off, or S3_CONDITIONAL_WRITES=false, or both: `stowage doctor` finds out which.'

/** Statuses of a request that was sent to another region than the bucket's, or signed for another. */
const wrongRegionStatuses: ReadonlySet<number> = new Set([301, 307, 400])

/** The SDK's names for a response without a body, such as the one to a HEAD request. */
const namesWithoutCode: ReadonlySet<string> = new Set(['Unknown', 'UnknownError', 'Forbidden', '403'])

/** The remedy for a refusal whose cause is not the way of sending; `undefined` for any other failure. */
export function adviceFor(error: unknown): string | undefined {
  const cause = rootCause(error)
  if (
    cause instanceof S3Failure &&
    cause.region !== undefined &&
    wrongRegionStatuses.has(cause.$metadata.httpStatusCode)
  )
    return `The bucket is in the region ${cause.region}: set S3_REGION=${cause.region}, and S3_ENDPOINT to that region.`
  const isBareDenial = statusOf(cause) === 403 && namesWithoutCode.has(cause.name)
  return isBareDenial ? refusalAdvice.AccessDenied : refusalAdvice[cause.name]
}

/** The same for the log, whose reader has not tried the other ways of sending: names the settings that may help. */
export function adviceForLog(error: unknown): string | undefined {
  return adviceFor(error) ?? (unsupportedRequestCodes.has(rootCause(error).name) ? otherSettings : undefined)
}

const untrusted =
  'its certificate is not trusted here: set NODE_EXTRA_CA_CERTS to the file of the authority that signed it'
const noTls = 'it does not speak TLS: http:// instead of https:// in S3_ENDPOINT, or another port'
const noHost = 'there is no such host: correct S3_ENDPOINT, or the name service'
const noRoute = 'there is no way to it: correct S3_ENDPOINT, or the network'

/** The remedy, by the error code of Node or OpenSSL. */
const connectionRemedies: Record<string, string> = {
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: set the clock (NTP)',
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for another name: write that name into S3_ENDPOINT, or set S3_FORCE_PATH_STYLE=true',
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  EPROTO: noTls,
  ECONNREFUSED: 'nothing listens there: start the store, or correct S3_ENDPOINT',
  ECONNRESET: 'it closes the connection: https:// instead of http:// in S3_ENDPOINT, or another port',
  EAI_AGAIN: noHost,
  ENOTFOUND: noHost,
  EHOSTUNREACH: noRoute,
  ENETUNREACH: noRoute,
}

/**
 * Why the store could not be reached.
 * @returns the code and its remedy, or `undefined` when the failure has no code with a known remedy
 */
export function connectionAdvice(error: unknown): string | undefined {
  const code = codeOf(error)
  if (code === undefined) return undefined
  const known =
    connectionRemedies[code] ?? (code.startsWith('HPE_') ? 'it does not speak HTTP: correct S3_ENDPOINT' : undefined)
  return known === undefined ? undefined : `${code}, ${known}`
}

/** The first code of a failure, of its causes and, where several addresses were tried, of the failure of each. */
function codeOf(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error) || depth > 5) return undefined
  const { code, cause } = error as NodeJS.ErrnoException
  const inner = [...(error instanceof AggregateError ? error.errors : []), cause]
  if (code !== undefined && Object.hasOwn(connectionRemedies, code)) return code
  return inner.map((one) => codeOf(one, depth + 1)).find((found) => found !== undefined) ?? code
}
