import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Backends } from '../backends/backends.ts'
import type { Bucket } from '../backends/bucket.ts'
import type { Database } from '../backends/database.ts'
import type { Stage } from '../stage.ts'

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** The whole load comes from one address, and as one user. */
const anyRate = {
  REQUESTS_PER_MINUTE: '0',
  REQUESTS_PER_MINUTE_PER_ADDRESS: '0',
  RESERVATIONS_PER_USER: '100000',
  UPLOADS_PER_USER: '100',
  DOWNLOADS_PER_USER: '400',
}

/** What a deployment in production sets, on a free port of loopback. */
export function stowageEnvironment({ s3Environment }: Backends, database: Database, bucket: Bucket): NodeJS.ProcessEnv {
  return {
    ...s3Environment,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: '0',
    PUBLIC_URL: 'https://chat.example',
    URL_SIGNING_KEY: 'only-for-the-bench'.repeat(2),
    DATABASE_URL: database.url,
    S3_BUCKET: bucket.name,
    ...anyRate,
  }
}

/** Runs a `stowage` command to its end. @returns what it printed */
export async function runStowage(
  { directory, signal }: Pick<Stage, 'directory' | 'signal'>,
  words: string[],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const { PATH, HOME } = process.env
  const options = { cwd: directory, env: { PATH, HOME, ...env }, signal, timeout: 30_000 }
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...words], options)
  return stdout.trim()
}
