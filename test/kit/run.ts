/**
 * `npm test`: runs tap, with the arguments given, against a real Postgres and a real S3 server, and ends as tap does.
 * Nothing it starts outlives it.
 */
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identifyProcess } from '#dev/embedded-postgres/process.ts'
import { quickStart } from './command.ts'
import { describeLeftOut } from './left-out.ts'
import { isRequired } from './programs.ts'
import { environmentOf, type S3Server, startS3 } from './servers/minio.ts'
import { type PostgresServer, startPostgres } from './servers/postgres.ts'
import { runTap } from './tap.ts'

const directoryPrefix = 'stowage-test-run-'

const withoutS3 = `
S3: none, so its suites are left out. Any one of these gives them a server: Go, so that MinIO can be built; minio on the
PATH; Docker; or S3_ENDPOINT, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment.
`

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interruption.abort())
// As when a `| head` has seen enough.
process.stdout.on('error', () => interruption.abort())

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  await removeLeftovers()
  const directory = await mkdtemp(join(tmpdir(), `${directoryPrefix}${process.pid}-`))
  // Under root, Postgres runs as another user, who has to get in.
  if (process.getuid?.() === 0) await chmod(directory, 0o711)
  try {
    return await runWithServers(directory, args)
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 10 })
  }
}

/** Removes the state of runs that were killed; another user's is theirs to remove. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const isOver =
      name.startsWith(directoryPrefix) && !identifyProcess(Number.parseInt(name.slice(directoryPrefix.length), 10))
    if (isOver) await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => {})
  }
}

async function runWithServers(directory: string, args: string[]): Promise<number> {
  let s3: S3Server | undefined
  let postgres: PostgresServer | undefined
  try {
    s3 = await startS3(directory, console.error)
    postgres = await startPostgres(join(directory, 'postgres'))
    console.log(s3 ? `S3: ${s3.description}\n` : withoutS3)
    if (interruption.signal.aborted) return 130
    const environment = {
      ...postgres.environment,
      ...(s3 ? environmentOf(s3.access) : { TEST_S3: 'none' }),
      // Hundreds of processes load the same modules. Each would take 2 s of CPU time for them instead of 0.7 s.
      NODE_OPTIONS: [process.env.NODE_OPTIONS, quickStart].join(' '),
      NODE_COMPILE_CACHE: join(directory, 'compiled'),
    }
    const { code, summary, leftOut } = await runTap({ args, environment, directory, signal: interruption.signal })
    const isCi = Boolean(process.env.CI)
    console.log(`\n${describeLeftOut(leftOut, isCi)}\n${summary}`)
    if (interruption.signal.aborted) return 130
    return code === 0 && isCi && leftOut.some(({ reason }) => isRequired(reason)) ? 1 : code
  } finally {
    await Promise.all([s3?.stop(), postgres?.stop()])
  }
}
