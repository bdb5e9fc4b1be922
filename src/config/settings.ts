import { isIP } from 'node:net'

/** One setting: its environment variable, default, meaning and parser. */
export interface Setting<T> {
  name: string
  /** Another variable, read when `name` is unset. */
  alias?: string
  /** The text to parse when the variable is unset; `undefined` leaves the value undefined. */
  fallback: string | undefined
  /** Text of the README's table. */
  meaning: string
  /** @throws Error with a message that continues the name: "must …" */
  parse(text: string): T
  secret: boolean
}

type Parse<T> = (text: string) => T
type WithFallback<T> = Setting<T> & { fallback: string }

function setting<T>(name: string, parse: Parse<T>, fallback: string, meaning: string): WithFallback<T> {
  return { name, parse, fallback, meaning, secret: false }
}

function optional<T>(name: string, parse: Parse<T>, meaning: string): Setting<T> {
  return { name, parse, fallback: undefined, meaning, secret: false }
}

function secret(name: string, parse: Parse<string>, meaning: string): Setting<string> {
  return { name, parse, fallback: undefined, meaning, secret: true }
}

const text: Parse<string> = (value) => value

function oneOf<const Choice extends string>(...choices: Choice[]): Parse<Choice> {
  return (value) => {
    const choice = choices.find((candidate) => candidate === value)
    if (choice === undefined) throw new Error(`must be one of ${choices.join(', ')}`)
    return choice
  }
}

function whole(min: number, max: number): Parse<number> {
  return (value) => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new Error(`must be a whole number from ${min} to ${max}`)
    return number
  }
}

const units: Record<string, number> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** Parses a size to bytes. */
export const byteSize: Parse<number> = (value) => {
  const match = /^(\d+)\s*(KiB|MiB|GiB|TiB)?$/.exec(value)
  const bytes = match ? Number(match[1]) * (units[match[2] ?? ''] ?? Number.NaN) : Number.NaN
  if (!(bytes >= 1 && bytes <= 5 * 2 ** 40))
    throw new Error('must be a size such as 1048576, 500MiB or 5GiB, at most 5TiB')
  return bytes
}

const flag: Parse<boolean> = (value) => oneOf('true', 'false')(value) === 'true'

/** In production `true` is refused, because the demo prints credentials to the log. */
const demo: Parse<boolean | 'even-in-production'> = (value) => {
  const choice = oneOf('true', 'false', 'even-in-production')(value)
  return choice === 'even-in-production' ? choice : choice === 'true'
}

const httpUrl: Parse<string> = (value) => {
  const url = URL.parse(value)
  if (!url || !/^https?:$/.test(url.protocol) || `${url.origin}${url.pathname}` !== url.href)
    throw new Error('must be an http:// or https:// URL without user, query or fragment')
  return url.href.replace(/^(.*[^/])\/*$/, '$1')
}

/**
 * Accepts origins of apps too, such as capacitor://localhost or chrome-extension://…. `URL` reports these origins as
 * opaque, but browsers send them (RFC 6454 section 6.2).
 */
const origin: Parse<string> = (value) => {
  const url = URL.parse(value)
  const serialized = url && `${url.protocol}//${url.host}`
  const isOrigin = url && url.host !== '' && url.href.replace(/\/$/, '') === serialized
  if (!isOrigin || /[*%]/.test(url.host) || /^(file|blob|data|ws|wss|ftp):$/.test(url.protocol))
    throw new Error(
      'must hold origins such as https://chat.example or capacitor://localhost, without a path, each by its full name: no *',
    )
  return serialized
}

const databaseUrl: Parse<string> = (value) => {
  if (!/^postgres(ql)?:$/.test(URL.parse(value)?.protocol ?? '') || !isPercentEncoded(value))
    throw new Error('must be a URL such as postgres://user:password@host:5432/database, percent-encoded')
  return value
}

function isPercentEncoded(value: string): boolean {
  try {
    return decodeURIComponent(value) !== ''
  } catch {
    return false
  }
}

const signingKey: Parse<string> = (value) => {
  if (value.length < 32) throw new Error('must have at least 32 characters; `openssl rand -hex 32` makes one')
  return value
}

const cookieName: Parse<string> = (value) => {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(value)) throw new Error('must be a cookie name (RFC 6265)')
  return value
}

const proxy: Parse<string> = (value) => {
  const [address = '', bits, ...rest] = value.split('/')
  const maxBits = isIP(address) === 6 ? 128 : 32
  const bitsFit = bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= maxBits)
  if (isIP(address) === 0 || !bitsFit || rest.length > 0)
    throw new Error('must hold addresses or CIDR ranges of proxies, such as 10.0.0.0/8')
  return value
}

function listOf<T>(parse: Parse<T>): Parse<T[]> {
  return (value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
      .map(parse)
}

/** All settings of Stowage, in the order of the README's table. */
export const settings = {
  host: optional('HOST', text, 'Address to listen on. Default: 127.0.0.1, in production 0.0.0.0.'),
  port: setting('PORT', whole(0, 65535), '3000', 'Port to listen on; 0 takes a free one.'),
  publicUrl: optional(
    'PUBLIC_URL',
    httpUrl,
    'Where clients reach the server: the start of every `file_url`. With https the session cookie is `Secure`. Default: `http://localhost` and the port; required in production.',
  ),
  databaseUrl: secret(
    'DATABASE_URL',
    databaseUrl,
    'Postgres; with `?prepare=false` for a pooler that cannot keep prepared statements. Unset: an embedded Postgres under `DATA_DIR`; required in production.',
  ),
  databasePoolSize: setting(
    'DATABASE_POOL_SIZE',
    whole(1, 1000),
    '10',
    'Most connections of this process to Postgres. All replicas together must stay below `max_connections`.',
  ),
  s3Bucket: optional(
    'S3_BUCKET',
    text,
    'Bucket that holds the files. Unset: files are stored on disk under `DATA_DIR`; required in production.',
  ),
  s3Endpoint: optional('S3_ENDPOINT', httpUrl, 'S3-compatible server, such as http://localhost:9000. Unset: AWS.'),
  s3Region: {
    ...setting('S3_REGION', text, 'us-east-1', 'Region of the bucket. Unset: `AWS_REGION`, else the default.'),
    alias: 'AWS_REGION',
  },
  s3ForcePathStyle: optional(
    'S3_FORCE_PATH_STYLE',
    flag,
    'Bucket in the path instead of the host name. Default: true when `S3_ENDPOINT` is set.',
  ),
  s3Checksums: setting(
    'S3_CHECKSUMS',
    oneOf('crc32', 'off'),
    'crc32',
    'Checksum that is sent with every byte, and that the store verifies and reports. `off` for stores without it.',
  ),
  s3ConditionalWrites: setting(
    'S3_CONDITIONAL_WRITES',
    flag,
    'true',
    'Whether writes are conditional (`If-None-Match: *`), so that a retry never writes a key twice. `false` for stores that refuse the condition.',
  ),
  awsAccessKeyId: secret(
    'AWS_ACCESS_KEY_ID',
    text,
    "Access key. Unset, like its secret: the AWS SDK's own chain (profile, container, instance role).",
  ),
  awsSecretAccessKey: secret('AWS_SECRET_ACCESS_KEY', text, 'Secret of the access key.'),
  awsSessionToken: secret('AWS_SESSION_TOKEN', text, 'Third part of temporary credentials.'),
  dataDir: setting('DATA_DIR', text, '.stowage', 'Folder of the embedded Postgres and the disk store.'),
  urlSigningKey: secret(
    'URL_SIGNING_KEY',
    signingKey,
    'Key of the signatures in `file_url`, the same on every replica. Unset: one is made and kept under `DATA_DIR`; required in production.',
  ),
  urlSigningKeys: {
    ...setting(
      'URL_SIGNING_KEYS',
      listOf(signingKey),
      '',
      'Other signing keys, separated by commas, whose links work too: for a change of `URL_SIGNING_KEY` without dead links.',
    ),
    secret: true,
  },
  sessionCookie: optional(
    'SESSION_COOKIE',
    cookieName,
    'Name of the session cookie. Default: `__Host-session` where `PUBLIC_URL` is https, which no other host can set; else `session`.',
  ),
  sessionSameSite: setting(
    'SESSION_SAMESITE',
    oneOf('lax', 'none'),
    'lax',
    '`SameSite` of the session cookie. `none` for a chat on another site than Stowage; needs https.',
  ),
  corsOrigins: setting(
    'CORS_ORIGINS',
    listOf(origin),
    '',
    'Origins, separated by commas, whose pages may call both APIs, with the cookie too. Origins of apps count, such as capacitor://localhost.',
  ),
  trustProxy: setting(
    'TRUST_PROXY',
    listOf(proxy),
    '',
    'Addresses or CIDR ranges of the load balancers whose `X-Forwarded-*` headers are believed.',
  ),
  maxFileSize: setting('MAX_FILE_SIZE', byteSize, '5GiB', 'Largest file, in bytes or with KiB, MiB, GiB, TiB.'),
  maxFilesPerRequest: setting('MAX_FILES_PER_REQUEST', whole(1, 1000), '20', 'Most files in one multipart request.'),
  maxConcurrentUploads: setting(
    'MAX_CONCURRENT_UPLOADS',
    whole(1, 100_000),
    '100',
    'Most upload requests at once on this replica; one more gets 503 with `Retry-After`.',
  ),
  uploadsPerUser: optional(
    'UPLOADS_PER_USER',
    whole(1, 100_000),
    'Most upload requests at once of one user on this replica; one more gets 429 with `Retry-After`. Default: a quarter of `MAX_CONCURRENT_UPLOADS`.',
  ),
  maxConcurrentDownloads: setting(
    'MAX_CONCURRENT_DOWNLOADS',
    whole(1, 100_000),
    '400',
    'Most downloads at once on this replica; one more gets 503 with `Retry-After`.',
  ),
  downloadsPerUser: optional(
    'DOWNLOADS_PER_USER',
    whole(1, 100_000),
    'Most downloads at once of one user on this replica, and of one attachment by its `file_url`; one more gets 429 with `Retry-After`. Default: a quarter of `MAX_CONCURRENT_DOWNLOADS`.',
  ),
  maxConnections: setting(
    'MAX_CONNECTIONS',
    whole(10, 1_000_000),
    '2000',
    'Most client connections at once on this replica; more are closed at once.',
  ),
  requestsPerMinute: setting(
    'REQUESTS_PER_MINUTE',
    whole(0, 10_000_000),
    '3000',
    'Most requests of one user in a minute on this replica; more get 429 with `Retry-After`. Tokens of scope `admin` are not counted. 0: no limit.',
  ),
  requestsPerMinutePerAddress: setting(
    'REQUESTS_PER_MINUTE_PER_ADDRESS',
    whole(0, 10_000_000),
    '30000',
    'Most requests from one address in a minute on this replica; more get 429 with `Retry-After`. Behind a load balancer `TRUST_PROXY` must name it, or all clients share one address. 0: no limit.',
  ),
  attachmentsPerMessage: setting(
    'ATTACHMENTS_PER_MESSAGE',
    whole(1, 100_000),
    '1000',
    'Most attachments of one message; one more gets 409.',
  ),
  reservationsPerUser: setting(
    'RESERVATIONS_PER_USER',
    whole(1, 100_000),
    '1000',
    'Most attachments of one user that await their bytes: reserved, or failed and not yet expired; one more reservation gets 429.',
  ),
  sessionsPerUser: setting(
    'SESSIONS_PER_USER',
    whole(1, 100_000),
    '100',
    'Most live sessions of one user, and of one token; with one more the oldest ends.',
  ),
  uploadLeaseSeconds: setting(
    'UPLOAD_LEASE_SECONDS',
    whole(3, 3600),
    '60',
    'A writer silent for this long is dead: its upload fails and its bytes are removed.',
  ),
  uploadIdleSeconds: setting(
    'UPLOAD_IDLE_SECONDS',
    whole(1, 3600),
    '30',
    'An upload that sends no byte for this long fails with 408.',
  ),
  minimumRate: setting(
    'MINIMUM_RATE',
    whole(0, 2 ** 30),
    '1024',
    'Bytes a second below which a transfer is ended, in either direction: an upload with 408, a download by closing it. Measured over 30 s in which the other side could go on. 0: no limit.',
  ),
  downloadIdleSeconds: setting(
    'DOWNLOAD_IDLE_SECONDS',
    whole(1, 3600),
    '30',
    'A response of which the client reads no byte for this long is ended.',
  ),
  failedRetentionHours: setting(
    'FAILED_RETENTION_HOURS',
    whole(1, 24 * 365),
    '24',
    'How long the rows of failed and of deleted attachments, and of reservations never used, are kept.',
  ),
  afterFailover: setting(
    'AFTER_FAILOVER',
    oneOf('hold', 'continue'),
    'hold',
    'The reaction to the promotion of a standby: `hold` fails no upload and removes no bytes until `stowage scrub` or `stowage restored --release`; `continue` goes on at once, for a cluster whose standby is synchronous. See docs/restore.md.',
  ),
  checksumAlgorithm: setting(
    'CHECKSUM_ALGORITHM',
    oneOf('sha256', 'md5'),
    'sha256',
    '`fileChecksum` of new attachments; md5 for clients that expect 32 digits.',
  ),
  fileUrlSeconds: setting(
    'FILE_URL_SECONDS',
    whole(1, 7 * 86_400),
    '3600',
    'How long a `file_url` works, and up to a quarter longer: its end is rounded up, so that the same one is given for a while.',
  ),
  shutdownGraceSeconds: setting(
    'SHUTDOWN_GRACE_SECONDS',
    whole(0, 86_400),
    '30',
    'How long transfers may go on after SIGTERM or Ctrl-C.',
  ),
  shutdownWaitSeconds: optional(
    'SHUTDOWN_WAIT_SECONDS',
    whole(0, 3600),
    'How long after SIGTERM new requests are still taken, while `/readyz` already fails and load balancers notice. Default: 0, in production 5.',
  ),
  logLevel: setting(
    'LOG_LEVEL',
    oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    'info',
    'Least severe lines that are logged.',
  ),
  demo: optional(
    'DEMO',
    demo,
    'At start, make user 1, room 1 and message 1 and print a cookie, a token, good for a day, and curl lines. Default: true with the embedded Postgres. In production `true` is refused; who means it says `even-in-production`. The image does not contain it.',
  ),
}
