import type { Test } from 'tap'
import type { TestBucket } from '../kit/bucket.ts'
import { stowage } from './stowage.ts'

/** The settings of a bucket. */
export function environment({ bucket, endpoint, region, accessKeyId, secretAccessKey }: TestBucket) {
  return {
    S3_BUCKET: bucket,
    S3_ENDPOINT: endpoint,
    S3_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  }
}

/** The lines that the doctor prints of the store, beside a database that is well. */
export async function linesOfStore(t: Test, database: string, env: NodeJS.ProcessEnv) {
  const { code, stdout, stderr } = await stowage(t, ['doctor'], { DATABASE_URL: database, ...env })
  t.equal(stderr, '')
  t.match(stdout, /^ok {4}migrations: all applied$/m, 'the database is checked all the same')
  return { code, lines: stdout.split('\n').filter((line) => line.slice(6).startsWith('store')) }
}
