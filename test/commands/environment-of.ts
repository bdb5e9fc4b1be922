import type { TestServer } from '../kit/server.ts'

/** The settings with which a command works on what a test's server has. */
export function environmentOf({ databaseUrl, config }: TestServer): NodeJS.ProcessEnv {
  const bucket = config.s3Bucket && {
    S3_BUCKET: config.s3Bucket,
    S3_ENDPOINT: config.s3Endpoint,
    S3_REGION: config.s3Region,
    AWS_ACCESS_KEY_ID: config.awsAccessKeyId,
    AWS_SECRET_ACCESS_KEY: config.awsSecretAccessKey,
  }
  return { DATABASE_URL: databaseUrl, ...(bucket || { DATA_DIR: config.dataDir }) }
}
