import type { S3ClientConfig } from '@aws-sdk/client-s3'

const { S3_ENDPOINT = '', S3_REGION = '', S3_BUCKET = '' } = process.env

/** The bucket that the bench has made for this server. */
export const bucket = S3_BUCKET

/** How to reach the store; the credentials are in the environment. Everything else is the SDK's default. */
export const connection: S3ClientConfig = { endpoint: S3_ENDPOINT, region: S3_REGION, forcePathStyle: true }
