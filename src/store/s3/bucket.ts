import { S3Client } from '@aws-sdk/client-s3'
import { BufferPool } from './buffer-pool.ts'
import { limited } from './credentials.ts'
import { defaultTimeouts, S3Http, type S3Timeouts } from './http.ts'
import { Payload } from './payload.ts'

/** Where the bucket is, and how to work with it. */
export interface S3StoreOptions {
  bucket: string
  region: string
  /** URL of the store; without it, AWS. */
  endpoint?: string | undefined
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  forcePathStyle: boolean
  /** Whether the store is given CRC32 checksums to verify and to report; some S3-like stores refuse them. */
  checksums: 'crc32' | 'off'
  /**
   * Whether the store is told to refuse a key that is taken (`If-None-Match`, RFC 9110 section 13.1.2), as it is by default:
   * so a request that is tried again after its answer was lost does not write the object twice. Some stores refuse that.
   */
  conditionalWrites?: boolean | undefined
  /** Without both of these, the SDK's own credential chain: environment, profile, instance or pod role. */
  accessKeyId?: string | undefined
  secretAccessKey?: string | undefined
  /** Most bytes an object may have. */
  maxObjectSize: number
  /** Connections for reads, as many again for uploads, and again for what no client waits for. */
  maxSockets?: number | undefined
  /** Bytes of a part, whatever the size of the body; by default as `part-size.ts` says. S3 wants 5 MiB at least. */
  partSize?: number | undefined
  /** Most bytes of a single request; by default a little below S3's own limit. */
  largestRequest?: number | undefined
  timeouts?: S3Timeouts | undefined
}

/** What the operations of the S3 store share. */
export interface S3Bucket {
  client: S3Client
  bucket: string
  checksums: boolean
  /** What every request says that makes an object. */
  writing: { IfNoneMatch?: '*' }
  buffers: BufferPool
  maxObjectSize: number
  partSize: number | undefined
  largestRequest: number
  timeouts: S3Timeouts
}

const mebibyte = 1024 * 1024

/** Bytes that all uploads share beyond the one part each is sure of. */
export const sharedMemory = 32 * mebibyte

/** Bytes of a single PutObject or UploadPart. S3 takes 5 GiB, some stores a little less, and a round number suffices. */
const largestRequest = 4 * 1024 * mebibyte

export function openBucket(options: S3StoreOptions): S3Bucket {
  return {
    client: openClient(options),
    bucket: options.bucket,
    checksums: options.checksums === 'crc32',
    writing: options.conditionalWrites === false ? {} : { IfNoneMatch: '*' },
    buffers: new BufferPool(sharedMemory),
    maxObjectSize: options.maxObjectSize,
    partSize: options.partSize,
    largestRequest: options.largestRequest ?? largestRequest,
    timeouts: options.timeouts ?? defaultTimeouts,
  }
}

function openClient(options: S3StoreOptions): S3Client {
  const { region, endpoint, forcePathStyle, accessKeyId, secretAccessKey } = options
  const { timeouts = defaultTimeouts, maxSockets = 512 } = options
  const client = new S3Client({
    region,
    forcePathStyle,
    ...(endpoint !== undefined && { endpoint }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
    maxAttempts: 3,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With this header the handler opens a connection for each part instead of keeping its connections.
    expectContinueHeader: false,
    requestHandler: new S3Http(timeouts, maxSockets),
  })
  if (accessKeyId === undefined) client.config.credentials = limited(client.config.credentials)
  // It spells out the platform anew for every request, which is a quarter of what the SDK costs.
  client.middlewareStack.remove('getUserAgentMiddleware')
  describePayloads(client)
  return client
}

/**
 * Gives a request the headers that its payload has for itself. One of them keeps the SDK from signing, and so from hashing
 * with sha256, every byte it sends over plain http: the signer takes the hash from there. The bytes are guarded by their
 * CRC32, which the store verifies.
 */
function describePayloads(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { Body } = args.input as { Body?: unknown }
      if (Body instanceof Payload) Object.assign((args.request as { headers: object }).headers, Body.headers)
      return next(args)
    },
    { name: 'describePayloads', step: 'build', priority: 'high' },
  )
}
