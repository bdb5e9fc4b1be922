import { S3Client } from '@aws-sdk/client-s3'
import { PartBuffers } from './part-buffers.ts'
import { defaultTimeouts, S3Http, type S3Timeouts } from './s3-http.ts'

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
  /** Without both of these, the SDK's own credential chain: environment, profile, instance or pod role. */
  accessKeyId?: string | undefined
  secretAccessKey?: string | undefined
  /** Most bytes an object may have. */
  maxObjectSize: number
  /** Connections for reads, and as many again for everything else. */
  maxSockets?: number | undefined
  /** Bytes; by default {@link partSizeFor}. S3 wants 5 MiB at least. */
  partSize?: number | undefined
  timeouts?: S3Timeouts | undefined
}

/** What the operations of the S3 store share. */
export interface S3Bucket {
  client: S3Client
  bucket: string
  checksums: boolean
  buffers: PartBuffers
}

const mebibyte = 1024 * 1024
const smallestPart = 5 * mebibyte
const maxParts = 10_000

/** Bytes of part buffers that stay while nothing is uploaded. */
const keptFree = 128 * mebibyte

export function openBucket(options: S3StoreOptions): S3Bucket {
  const partSize = options.partSize ?? partSizeFor(options.maxObjectSize)
  return {
    client: openClient(options),
    bucket: options.bucket,
    checksums: options.checksums === 'crc32',
    buffers: new PartBuffers(partSize, Math.ceil(keptFree / partSize)),
  }
}

/**
 * Bytes of a part: the least S3 takes, or as many MiB as it takes to send `maxObjectSize` bytes in the 10,000 parts it
 * allows. Every upload in flight holds one to three parts, so small parts make many uploads cheap: with parts of 8 MiB
 * instead, a hundred slow uploads take half as much memory again, and one fast upload a quarter less of our CPU.
 */
export function partSizeFor(maxObjectSize: number): number {
  return Math.max(smallestPart, Math.ceil(maxObjectSize / maxParts / mebibyte) * mebibyte)
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
  leavePayloadUnsigned(client)
  return client
}

/**
 * Keeps the SDK from signing, and so from hashing with sha256, every byte it sends over plain http. The signer takes the
 * payload's hash from this header when it is there; the bytes are guarded by their CRC32.
 */
function leavePayloadUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        if (commandName === 'PutObjectCommand' || commandName === 'UploadPartCommand') {
          const { headers } = args.request as { headers: Record<string, string> }
          headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
        }
        return next(args)
      },
    { name: 'leavePayloadUnsigned', step: 'build' },
  )
}
