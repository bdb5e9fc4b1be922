const trust = 'its certificate is not trusted here: set NODE_EXTRA_CA_CERTS to the file of the authority that signed it'
const noTls = 'it does not speak TLS: http:// instead of https:// in S3_ENDPOINT, or another port'
const noHost = 'there is no such host: correct S3_ENDPOINT, or the name service'
const noWay = 'there is no way to it: correct S3_ENDPOINT, or the network'

/** The remedy, by the code of Node or OpenSSL. */
const helps: Record<string, string> = {
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: set the clock (NTP)',
  DEPTH_ZERO_SELF_SIGNED_CERT: trust,
  SELF_SIGNED_CERT_IN_CHAIN: trust,
  UNABLE_TO_GET_ISSUER_CERT: trust,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: trust,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: trust,
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for another name: write that name into S3_ENDPOINT, or set S3_FORCE_PATH_STYLE=true',
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  EPROTO: noTls,
  ECONNREFUSED: 'nothing listens there: start the store, or correct S3_ENDPOINT',
  ECONNRESET: 'it closes the connection: https:// instead of http:// in S3_ENDPOINT, or another port',
  EAI_AGAIN: noHost,
  ENOTFOUND: noHost,
  EHOSTUNREACH: noWay,
  ENETUNREACH: noWay,
}

/**
 * Why the store could not be reached.
 * @returns the code and what helps against it, or `undefined` when the failure names none
 */
export function connectionAdvice(error: unknown): string | undefined {
  const code = codeOf(error)
  if (code === undefined) return undefined
  const known = helps[code] ?? (code.startsWith('HPE_') ? 'it does not speak HTTP: correct S3_ENDPOINT' : undefined)
  return known === undefined ? undefined : `${code}, ${known}`
}

/** The first code among a failure, its causes and, where several addresses were tried, the failure of each. */
function codeOf(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error) || depth > 5) return undefined
  const { code, cause } = error as NodeJS.ErrnoException
  const inner = [...(error instanceof AggregateError ? error.errors : []), cause]
  if (code !== undefined && Object.hasOwn(helps, code)) return code
  return inner.map((one) => codeOf(one, depth + 1)).find((found) => found !== undefined) ?? code
}
