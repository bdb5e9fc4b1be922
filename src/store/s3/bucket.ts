import { S3Client } from '@aws-sdk/client-s3'
import { withTimeout } from '#async/timeout.ts'
import { BufferPool } from './buffer-pool.ts'
import { Connections } from './http/connections.ts'
import { DataPlane } from './http/data-plane.ts'
import { SdkHandler } from './http/sdk-handler.ts'
import { defaultTimeouts, type S3Timeouts } from './http/timeouts.ts'

/** The address of the bucket, and how to work with it. */
export interface S3StoreOptions {
  bucket: string
  region: string
  /** URL of the store; without it, AWS. */
  endpoint?: string | undefined
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  forcePathStyle: boolean
  /** Whether requests carry CRC32 checksums for the store to verify and report; some S3-like stores refuse them. */
  checksums: 'crc32' | 'off'
  /**
   * Whether the store is asked to refuse a key that is taken (`If-None-Match`, RFC 9110 section 13.1.2); by default it is.
   * So a request that is sent again after its response was lost does not write the object twice. Some stores refuse the
   * header.
   */
  conditionalWrites?: boolean | undefined
  /** Without both keys, the SDK's own credential chain: environment, profile, instance or pod role. */
  accessKeyId?: string | undefined
  secretAccessKey?: string | undefined
  /** The most bytes an object may have. */
  maxObjectSize: number
  /** Connections for reads; as many again for uploads, and for requests for which no client waits. */
  maxSockets?: number | undefined
  /** Bytes of a part of a put, for a body of any size; by default as in `part-size.ts`. S3 requires 5 MiB at least. */
  partSize?: number | undefined
  /** The most bytes of a single request; by default a little below S3's own limit. */
  largestRequest?: number | undefined
  timeouts?: S3Timeouts | undefined
}

/** The clients and the settings that the operations of the S3 store share. */
export interface S3Bucket {
  /** Sends the requests for objects and parts. */
  dataPlane: DataPlane
  /** The SDK, for what is rare: multipart uploads are created, completed and aborted, and the bucket is listed. */
  client: S3Client
  bucket: string
  checksums: boolean
  /** Whether requests that make an object ask the store to refuse a key that is taken. */
  isConditional: boolean
  buffers: BufferPool
  maxObjectSize: number
  partSize: number | undefined
  largestRequest: number
  timeouts: S3Timeouts
}

const mebibyte = 1024 * 1024

/** Bytes of memory that all uploads share beyond the one part that each has reserved. */
export const sharedMemory = 32 * mebibyte

/** Bytes of a single PutObject or UploadPart. S3 allows 5 GiB, some stores a little less. */
const largestRequest = 4 * 1024 * mebibyte

export function openBucket(options: S3StoreOptions): S3Bucket {
  const { bucket, timeouts = defaultTimeouts, maxSockets = 512 } = options
  const connections = new Connections(maxSockets)
  const client = openClient(options, new SdkHandler(timeouts, connections))
  return {
    dataPlane: new DataPlane(client, { bucket, connections, timeouts }),
    ...{ client, bucket, timeouts },
    checksums: options.checksums === 'crc32',
    isConditional: options.conditionalWrites !== false,
    buffers: new BufferPool(sharedMemory),
    maxObjectSize: options.maxObjectSize,
    partSize: options.partSize,
    largestRequest: options.largestRequest ?? largestRequest,
  }
}

function openClient(options: S3StoreOptions, requestHandler: SdkHandler): S3Client {
  const { region, endpoint, forcePathStyle, accessKeyId, secretAccessKey } = options
  const client = new S3Client({
    region,
    forcePathStyle,
    ...(endpoint !== undefined && { endpoint }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
    maxAttempts: 3,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler,
  })
  if (accessKeyId === undefined) client.config.credentials = withTimeLimit(client.config.credentials)
  // This middleware builds the platform's description for every request, a quarter of the SDK's CPU time.
  client.middlewareStack.remove('getUserAgentMiddleware')
  return client
}

type Provider = S3Client['config']['credentials']

/** Milliseconds that the SDK's credential chain may take: it asks files, processes and the services of clouds. */
const credentialsTimeout = 5_000

/** The same credentials, or a failure when they do not arrive in time. */
function withTimeLimit(provide: Provider): Provider {
  return (options) => withTimeout(credentialsTimeout, () => provide(options), tooLate)
}

/** An error with the name of the SDK's own errors of this kind. */
function tooLate(): Error {
  const error = new Error(`There are no credentials within ${credentialsTimeout} ms`)
  return Object.assign(error, { name: 'CredentialsProviderError' })
}
