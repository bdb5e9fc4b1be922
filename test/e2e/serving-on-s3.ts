import type { Test } from 'tap'
import { nodeFlags } from '../../bench/processes/node-flags.ts'
import { bucketSettings, createTestBucket } from '../kit/bucket.ts'
import { program } from '../kit/command.ts'
import { createTestDatabase } from '../kit/database.ts'
import { demoOf, type Serving, startServing } from '../kit/serving.ts'
import type { Place } from '../kit/ways-to-upload.ts'

/** Starts a server as `npm start` runs it, with the demo's user, on a database and a bucket of its own. */
export async function startServingOnS3(t: Test, env: NodeJS.ProcessEnv = {}): Promise<Serving & Place> {
  const settings = {
    DATABASE_URL: await createTestDatabase(t),
    ...bucketSettings(await createTestBucket(t)),
    DEMO: 'true',
    ...env,
  }
  const command = [process.execPath, ...(await nodeFlags()), program, 'serve']
  const serving = await startServing(t, settings, { command })
  return { ...serving, ...(await demoOf(serving)) }
}
