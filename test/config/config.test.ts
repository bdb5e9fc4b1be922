import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Config, loadEnvFile, readConfig } from '#config/config.ts'
import { settings } from '#config/settings.ts'
import { ConfigError } from '#domain/errors.ts'

type Name = keyof typeof settings

/** What is wrong with an environment, a line each. */
function problemsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

t.test('defaults', async (t) => {
  const defaults = {
    host: undefined,
    port: 3000,
    publicUrl: undefined,
    databaseUrl: undefined,
    databasePoolSize: 10,
    s3Bucket: undefined,
    s3Endpoint: undefined,
    s3Region: 'us-east-1',
    s3ForcePathStyle: undefined,
    s3Checksums: 'crc32',
    s3ConditionalWrites: true,
    awsAccessKeyId: undefined,
    awsSecretAccessKey: undefined,
    awsSessionToken: undefined,
    dataDir: '.stowage',
    urlSigningKey: undefined,
    urlSigningKeys: [],
    sessionCookie: 'session',
    sessionSameSite: 'lax',
    corsOrigins: [],
    trustProxy: [],
    maxFileSize: 5 * 1024 ** 3,
    maxFilesPerRequest: 20,
    maxConcurrentUploads: 100,
    uploadsPerUser: undefined,
    maxConcurrentDownloads: 400,
    downloadsPerUser: undefined,
    maxConnections: 2000,
    requestsPerMinute: 3000,
    requestsPerMinutePerAddress: 30_000,
    attachmentsPerMessage: 1000,
    reservationsPerUser: 1000,
    sessionsPerUser: 100,
    uploadLeaseSeconds: 60,
    uploadIdleSeconds: 30,
    minimumRate: 1024,
    downloadIdleSeconds: 30,
    failedRetentionHours: 24,
    afterFailover: 'hold',
    checksumAlgorithm: 'sha256',
    fileUrlSeconds: 3600,
    shutdownGraceSeconds: 30,
    shutdownWaitSeconds: undefined,
    logLevel: 'info',
    demo: undefined,
    production: false,
  }
  t.strictSame(readConfig({}), defaults)
  const empty = Object.fromEntries(Object.values(settings).map(({ name }) => [name, '']))
  t.strictSame(readConfig(empty), defaults, 'an empty value counts as unset')
  t.ok(Object.isFrozen(readConfig({})))
})

const good: [Name, string, Config[Name]][] = [
  ['host', '::1', '::1'],
  ['port', '0', 0],
  ['port', '65535', 65_535],
  ['publicUrl', 'https://files.example', 'https://files.example'],
  ['publicUrl', 'http://chat.example:8080/files//', 'http://chat.example:8080/files'],
  ['databaseUrl', 'postgres://user:p%40ss@db:5432/stowage?sslmode=require', undefined],
  ['databaseUrl', 'postgresql://db/stowage', undefined],
  ['s3Bucket', 'attachments', 'attachments'],
  ['s3Endpoint', 'http://localhost:9000/', 'http://localhost:9000'],
  ['s3Region', 'eu-central-1', 'eu-central-1'],
  ['s3ForcePathStyle', 'true', true],
  ['s3ForcePathStyle', 'false', false],
  ['s3Checksums', 'off', 'off'],
  ['s3ConditionalWrites', 'false', false],
  ['dataDir', '/var/lib/stowage', '/var/lib/stowage'],
  ['urlSigningKey', 'k'.repeat(32), 'k'.repeat(32)],
  ['urlSigningKeys', `${'k'.repeat(32)}, ${'l'.repeat(40)}`, ['k'.repeat(32), 'l'.repeat(40)]],
  ['sessionCookie', '__Host-session', '__Host-session'],
  ['sessionSameSite', 'lax', 'lax'],
  ['corsOrigins', 'https://chat.example', ['https://chat.example']],
  ['corsOrigins', ' https://a.example/ ,http://b.example:81, ', ['https://a.example', 'http://b.example:81']],
  ['corsOrigins', 'https://chat.example/, HTTPS://Chat.Example:443', ['https://chat.example', 'https://chat.example']],
  [
    'corsOrigins',
    'capacitor://localhost,tauri://localhost, ionic://localhost,chrome-extension://abcdefghijklmnop',
    ['capacitor://localhost', 'tauri://localhost', 'ionic://localhost', 'chrome-extension://abcdefghijklmnop'],
  ],
  ['trustProxy', '10.0.0.0/8, 192.0.2.7, ::1, fd00::/8', ['10.0.0.0/8', '192.0.2.7', '::1', 'fd00::/8']],
  ['maxFileSize', '1', 1],
  ['maxFileSize', '1048576', 1_048_576],
  ['maxFileSize', '3KiB', 3072],
  ['maxFileSize', '500MiB', 524_288_000],
  ['maxFileSize', '5 GiB', 5_368_709_120],
  ['maxFileSize', '5TiB', 5_497_558_138_880],
  ['databasePoolSize', '1', 1],
  ['maxFilesPerRequest', '1', 1],
  ['maxConcurrentUploads', '100000', 100_000],
  ['uploadLeaseSeconds', '3', 3],
  ['uploadIdleSeconds', '1', 1],
  ['failedRetentionHours', '8760', 8760],
  ['afterFailover', 'continue', 'continue'],
  ['checksumAlgorithm', 'md5', 'md5'],
  ['fileUrlSeconds', '604800', 604_800],
  ['shutdownGraceSeconds', '0', 0],
  ['shutdownWaitSeconds', '15', 15],
  ['logLevel', 'silent', 'silent'],
  ['demo', 'true', true],
  ['demo', 'false', false],
  ['demo', 'even-in-production', 'even-in-production'],
]

t.test('what is taken', async (t) => {
  for (const [key, text, value] of good) {
    const { name } = settings[key]
    t.strictSame(readConfig({ [name]: text })[key], value ?? text, `${name}=${text}`)
  }
})

const bad: [Name, string[], RegExp][] = [
  ['port', ['65536', '-1', '80.5', '0x50', '3000 ', 'http'], /a whole number from 0 to 65535/],
  [
    'publicUrl',
    ['files.example', 'ftp://files.example', 'https://', 'https://a.example?b=c', 'https://a.example/#b'],
    /an http:\/\/ or https:\/\/ URL/,
  ],
  [
    'databaseUrl',
    ['mysql://db/stowage', 'localhost:5432', 'db', 'postgres://user:50%off@db'],
    /a URL such as postgres:\/\//,
  ],
  ['databasePoolSize', ['0', '1001', '2.5'], /from 1 to 1000/],
  ['s3Endpoint', ['localhost:9000', '//minio:9000', 'http://key:word@minio:9000'], /an http:\/\/ or https:\/\/ URL/],
  ['s3ForcePathStyle', ['1', 'yes', 'TRUE'], /one of true, false/],
  ['s3Checksums', ['sha256', 'crc32c'], /one of crc32, off/],
  ['s3ConditionalWrites', ['maybe', '2'], /one of true, false/],
  ['urlSigningKey', ['k'.repeat(31)], /at least 32 characters/],
  ['urlSigningKeys', ['k'.repeat(31), `${'k'.repeat(32)},short`], /at least 32 characters/],
  ['sessionSameSite', ['strict', 'None'], /one of lax, none/],
  ['sessionCookie', ['my session', 'a=b', 'a;b', 'käse'], /a cookie name/],
  [
    'corsOrigins',
    ['*', 'null', 'chat.example', 'https://chat.example/app', 'https://a.example, https://b.example?c', 'file:///a'],
    /origins such as/,
  ],
  [
    'corsOrigins',
    [
      'https://*.example',
      'capacitor://*',
      'capacitor://',
      'capacitor:localhost',
      'capacitor://localhost/app',
      'https://a@b.c',
    ],
    /each by its full name: no \*/,
  ],
  [
    'trustProxy',
    ['true', '10.0.0', '10.0.0.0/33', '10.0.0.0/0', '10.0.0.0/', '10.0.0.0/8/8', '::1/129', '10.0.0.1,proxy'],
    /addresses or CIDR ranges/,
  ],
  ['maxFileSize', ['0', '-1', '1.5GiB', '5GB', '5gib', '6TiB', 'big'], /a size such as/],
  ['maxFilesPerRequest', ['0', '1001'], /from 1 to 1000/],
  ['maxConcurrentUploads', ['0', '100001'], /from 1 to 100000/],
  ['uploadsPerUser', ['0', '100001'], /from 1 to 100000/],
  ['maxConcurrentDownloads', ['0', '100001'], /from 1 to 100000/],
  ['downloadsPerUser', ['0', '100001'], /from 1 to 100000/],
  ['maxConnections', ['9', '1000001'], /from 10 to 1000000/],
  ['requestsPerMinute', ['-1', '10000001'], /from 0 to 10000000/],
  ['requestsPerMinutePerAddress', ['-1', '10000001'], /from 0 to 10000000/],
  ['minimumRate', ['-1', '1073741825'], /from 0 to 1073741824/],
  ['downloadIdleSeconds', ['0', '3601'], /from 1 to 3600/],
  ['attachmentsPerMessage', ['0', '100001'], /from 1 to 100000/],
  ['reservationsPerUser', ['0', '100001'], /from 1 to 100000/],
  ['sessionsPerUser', ['0', '100001'], /from 1 to 100000/],
  ['uploadLeaseSeconds', ['2', '3601'], /from 3 to 3600/],
  ['uploadIdleSeconds', ['0', '3601'], /from 1 to 3600/],
  ['failedRetentionHours', ['0', '8761'], /from 1 to 8760/],
  ['afterFailover', ['Hold', 'stop'], /one of hold, continue/],
  ['checksumAlgorithm', ['SHA256', 'sha1'], /one of sha256, md5/],
  ['fileUrlSeconds', ['0', '604801'], /from 1 to 604800/],
  ['shutdownGraceSeconds', ['-1', '86401'], /from 0 to 86400/],
  ['shutdownWaitSeconds', ['-1', '3601'], /from 0 to 3600/],
  ['logLevel', ['verbose'], /one of fatal, error/],
  ['demo', ['1', 'yes'], /one of true, false, even-in-production/],
]

t.test('what is refused, with the name of the setting and what it must be', async (t) => {
  for (const [key, texts, must] of bad) {
    for (const text of texts) {
      const { name } = settings[key]
      const problems = problemsOf({ [name]: text })
      t.equal(problems.length, 1, `${name}=${text}`)
      t.match(problems[0], new RegExp(`^${name} must `))
      t.match(problems[0], must)
    }
  }
  const tried = new Set(bad.map(([key]) => key))
  const keys = Object.keys(settings) as Name[]
  t.strictSame(
    keys.filter((key) => refusesAnything(key) && !tried.has(key)),
    [],
    'every setting that can be wrong is tried above',
  )
})

function refusesAnything(key: Name): boolean {
  try {
    settings[key].parse('\u0000')
    return false
  } catch {
    return true
  }
}

t.test('a problem shows the value, but never a secret', async (t) => {
  t.match(problemsOf({ PORT: 'http' }), ['PORT must be a whole number from 0 to 65535 (it is "http")'])
  const secrets = {
    DATABASE_URL: 'mysql://user:hunter2@db',
    URL_SIGNING_KEY: 'hunter2',
    AWS_SECRET_ACCESS_KEY: 'hunter2',
    S3_ENDPOINT: 'https://user:hunter2@minio',
  }
  const problems = problemsOf(secrets)
  t.equal(problems.length, 4)
  t.notMatch(problems.join('\n'), /hunter2/)
})

t.test('every problem is told at once', async (t) => {
  const problems = problemsOf({ PORT: 'x', LOG_LEVEL: 'x', DEMO: 'x' })
  t.strictSame(
    problems.map((problem) => problem.split(' ')[0]),
    ['PORT', 'LOG_LEVEL', 'DEMO'],
  )
  t.match(new ConfigError(problems).message, /^Stowage cannot start with these settings:\n {2}PORT .*\n {2}LOG_LEVEL /)
})

t.test('production falls back to nothing', async (t) => {
  const required = ['DATABASE_URL', 'S3_BUCKET', 'PUBLIC_URL', 'URL_SIGNING_KEY']
  t.strictSame(
    problemsOf({ NODE_ENV: 'production' }),
    required.map((name) => `${name} is required when NODE_ENV is production`),
  )
  const complete = {
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://db/stowage',
    S3_BUCKET: 'attachments',
    PUBLIC_URL: 'https://files.example',
    URL_SIGNING_KEY: 'k'.repeat(32),
  }
  t.equal(readConfig(complete).production, true)
  t.match(problemsOf({ ...complete, S3_BUCKET: '' }), [/^S3_BUCKET is required/])
  t.match(problemsOf({ ...complete, PUBLIC_URL: 'files' }), [/^PUBLIC_URL must/], 'one that is wrong is told once')
  t.equal(readConfig({ NODE_ENV: 'test' }).production, false)
})

const production = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://stowage:hunter2@db/stowage',
  S3_BUCKET: 'attachments',
  PUBLIC_URL: 'https://files.example',
  URL_SIGNING_KEY: 'k'.repeat(32),
}

t.test('secrets of the examples are refused', async (t) => {
  const example = 'at-least-32-characters-of-randomness'
  for (const name of ['URL_SIGNING_KEY', 'URL_SIGNING_KEYS'])
    t.match(problemsOf({ [name]: example }), [new RegExp(`^${name} holds a secret of the examples.*openssl rand`)])
  const inProduction = {
    DATABASE_URL: 'postgres://stowage:secret@postgres.example:5432/stowage',
    AWS_SECRET_ACCESS_KEY: 'stowage-secret',
  }
  const env = { AWS_ACCESS_KEY_ID: 'stowage', ...inProduction }
  t.strictSame(problemsOf(env), [], 'on a laptop they are what the examples are for')
  for (const [name, value] of Object.entries(inProduction)) {
    const problems = problemsOf({ ...production, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', [name]: value })
    t.match(problems, [new RegExp(`^${name} holds a secret of the examples`)])
  }
})

t.test('the cookie is one that no other host can plant, where browsers allow it', async (t) => {
  t.equal(readConfig({ PUBLIC_URL: 'https://files.example' }).sessionCookie, '__Host-session')
  t.equal(readConfig({ PUBLIC_URL: 'http://files.example' }).sessionCookie, 'session')
  t.equal(readConfig({ PUBLIC_URL: 'https://files.example', SESSION_COOKIE: 'sid' }).sessionCookie, 'sid')
})

t.test('a cookie for other sites needs https', async (t) => {
  const env = { SESSION_SAMESITE: 'none' }
  t.equal(readConfig({ ...env, PUBLIC_URL: 'https://files.example' }).sessionSameSite, 'none')
  for (const PUBLIC_URL of ['', 'http://files.example'])
    t.match(problemsOf({ ...env, PUBLIC_URL }), [/^SESSION_SAMESITE none needs https.*PUBLIC_URL/])
})

t.test('the demo prints credentials, and in production only for who says so', async (t) => {
  t.match(problemsOf({ ...production, DEMO: 'true' }), [/^DEMO .*even-in-production/])
  t.equal(readConfig({ ...production, DEMO: 'even-in-production' }).demo, 'even-in-production')
  t.equal(readConfig({ ...production, DEMO: 'false' }).demo, false)
})

t.test('AWS keys come as a pair, or as three', async (t) => {
  const pair = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'word' }
  t.match(readConfig(pair), { awsAccessKeyId: 'id', awsSecretAccessKey: 'word' })
  t.equal(readConfig({ ...pair, AWS_SESSION_TOKEN: 'token' }).awsSessionToken, 'token')
  for (const missing of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
    t.match(problemsOf({ ...pair, [missing]: '' }), [/^AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together/])
  t.match(problemsOf({ AWS_SESSION_TOKEN: 'token' }), [/^AWS_SESSION_TOKEN needs/])
})

t.test('the region is also taken from where AWS keeps it', async (t) => {
  t.equal(readConfig({ AWS_REGION: 'eu-west-1' }).s3Region, 'eu-west-1')
  t.equal(readConfig({ AWS_REGION: 'eu-west-1', S3_REGION: 'auto' }).s3Region, 'auto')
})

t.test('.env is read, and what the environment holds wins', async (t) => {
  const path = await envFile(
    t,
    'STOWAGE_TEST_A=from the file\nSTOWAGE_TEST_B=file\n# a comment\nSTOWAGE_TEST_C="a # b"\n',
  )
  process.env.STOWAGE_TEST_B = 'environment'
  t.teardown(() => {
    for (const letter of 'ABC') delete process.env[`STOWAGE_TEST_${letter}`]
  })
  loadEnvFile(path)
  const { STOWAGE_TEST_A, STOWAGE_TEST_B, STOWAGE_TEST_C } = process.env
  t.strictSame([STOWAGE_TEST_A, STOWAGE_TEST_B, STOWAGE_TEST_C], ['from the file', 'environment', 'a # b'])
})

t.test('.env may be missing, but not unreadable', async (t) => {
  const path = await envFile(t, '')
  loadEnvFile(`${path}.missing`)
  await mkdir(`${path}.folder`)
  t.throws(() => loadEnvFile(`${path}.folder`), { name: 'ConfigError', message: /\.env\.folder cannot be read/ })
})

async function envFile(t: Test, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-test-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, '.env')
  await writeFile(path, text)
  return path
}
