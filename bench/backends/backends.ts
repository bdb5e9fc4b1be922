import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startS3 } from '../../test/kit/servers/minio.ts'
import { startPostgres } from '../../test/kit/servers/postgres.ts'

/** The store and the database that all servers of a run use. */
export interface Backends extends AsyncDisposable {
  /** What the S3 server is, as the report says it. */
  s3Description: string
  /** Tells a process where the S3 server is and who it is there. */
  s3Environment: { S3_ENDPOINT: string; S3_REGION: string; AWS_ACCESS_KEY_ID: string; AWS_SECRET_ACCESS_KEY: string }
  /** A database from which others can be made. */
  databaseUrl: string
}

/** Starts MinIO and Postgres with their state in `directory`, or uses the ones that the environment names. */
export async function startBackends(directory: string): Promise<Backends> {
  await using started = new AsyncDisposableStack()
  const [s3, postgres] = await Promise.all([startS3(directory, console.error), postgresIn(directory)])
  if (s3) started.defer(() => s3.stop())
  started.defer(() => postgres.stop())
  if (!s3) throw new Error('No S3 server: install Go, MinIO or Docker, or set S3_ENDPOINT and the keys it takes')

  const { endpoint, region, accessKeyId, secretAccessKey } = s3.access
  const running = started.move()
  return {
    s3Description: s3.description,
    s3Environment: {
      S3_ENDPOINT: endpoint,
      S3_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
    databaseUrl: postgres.environment.TEST_DATABASE_URL ?? process.env.TEST_DATABASE_URL ?? '',
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function postgresIn(directory: string) {
  const folder = join(directory, 'postgres')
  await mkdir(folder)
  return startPostgres(folder)
}
