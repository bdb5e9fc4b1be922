import { resolve } from 'node:path'
import { readOrCreateKey } from '#auth/key-file.ts'
import type { Config } from '#config/config.ts'
import { StowageError } from '#domain/errors.ts'
import { openDatabase } from '#persistence/connection/client.ts'
import { openDiskStore } from '#store/disk/disk-store.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { openS3Store, type S3StoreOptions } from '#store/s3/s3-store.ts'
import { loadEmbeddedPostgres } from './dev-folder.ts'

/** A Postgres to connect to. */
export interface DatabaseServer {
  url: string
  /** Resolves, with the reason, if a database that we run ends although nobody asked for it. */
  exited: Promise<Error | undefined>
  /** Stops it if we run it. */
  stop(): Promise<void>
}

/**
 * The Postgres of `DATABASE_URL`, or else an embedded one under `DATA_DIR` that ends with this process.
 * @throws StowageError that says what to fix
 */
export async function runDatabase(config: Config, log: (message: string) => void): Promise<DatabaseServer> {
  const directory = resolve(config.dataDir)
  return (await external(config)) ?? embedded((postgres) => postgres.startEmbeddedPostgres({ directory, log }))
}

/** As {@link runDatabase}, but an embedded one that a server already runs is shared: for commands beside it. */
export async function reachDatabase(config: Config): Promise<DatabaseServer> {
  const directory = resolve(config.dataDir)
  return (await external(config)) ?? embedded((postgres) => postgres.connectOrStartEmbeddedPostgres({ directory }))
}

async function external({ databaseUrl }: Config): Promise<DatabaseServer | undefined> {
  if (databaseUrl === undefined) return undefined
  const client = openDatabase(databaseUrl, 1)
  try {
    await client.ping()
  } catch (cause) {
    const { message, code } = cause as NodeJS.ErrnoException
    throw new StowageError(
      'database_unavailable',
      `The database cannot be used (${message || code}): correct DATABASE_URL, or start Postgres.`,
      { cause },
    )
  } finally {
    await client.close()
  }
  return { url: databaseUrl, exited: new Promise(() => {}), stop: async () => {} }
}

type EmbeddedPostgresModule = Awaited<ReturnType<typeof loadEmbeddedPostgres>>

async function embedded(start: (postgres: EmbeddedPostgresModule) => Promise<DatabaseServer>): Promise<DatabaseServer> {
  const postgres = await loadEmbeddedPostgres()
  try {
    const { url, exited, stop } = await start(postgres)
    return { url, exited: exited.then((error) => error && forOperator(error)), stop }
  } catch (error) {
    throw forOperator(error)
  }
}

/** A failure of the embedded Postgres, for the operator; one of the system gets the setting that may help. */
function forOperator(cause: unknown): StowageError {
  const { message, code } = cause as NodeJS.ErrnoException
  const advice = code === undefined ? '' : '. Correct DATA_DIR, or set DATABASE_URL.'
  return new StowageError('database_unavailable', `${message}${advice}`, { cause })
}

/** The bucket of `S3_BUCKET`, or else a folder under `DATA_DIR`. */
export async function openStore(config: Config): Promise<ObjectStore> {
  const options = s3Options(config)
  return options ? openS3Store(options) : openDiskStore(resolve(config.dataDir))
}

/** What the settings say of the bucket; `undefined` without `S3_BUCKET`. */
export function s3Options(config: Config): S3StoreOptions | undefined {
  const { s3Bucket, s3Endpoint, s3ForcePathStyle, awsAccessKeyId, awsSecretAccessKey, awsSessionToken } = config
  if (s3Bucket === undefined) return undefined
  // Temporary credentials have a third part: the SDK's own chain takes all three from the environment.
  const isOwnPair = awsSessionToken === undefined && awsAccessKeyId !== undefined && awsSecretAccessKey !== undefined
  return {
    bucket: s3Bucket,
    region: config.s3Region,
    forcePathStyle: s3ForcePathStyle ?? s3Endpoint !== undefined,
    checksums: config.s3Checksums,
    conditionalWrites: config.s3ConditionalWrites,
    maxObjectSize: config.maxFileSize,
    ...(s3Endpoint !== undefined && { endpoint: s3Endpoint }),
    ...(isOwnPair && { accessKeyId: awsAccessKeyId, secretAccessKey: awsSecretAccessKey }),
  }
}

/** `URL_SIGNING_KEY`, or else a key that is made once and kept under `DATA_DIR`, so that links outlive a restart. */
export async function urlSigningKeyOf(config: Config): Promise<string> {
  return config.urlSigningKey ?? (await readOrCreateKey(resolve(config.dataDir)))
}
