import { HeadBucketCommand, type S3Client } from '@aws-sdk/client-s3'
import { getEndpointFromInstructions } from '@smithy/core/endpoints'
import { escapeUri, escapeUriPath } from '@smithy/core/protocols'

/** Where requests for a bucket are sent. */
export interface BucketAddress {
  isTls: boolean
  /** Without brackets, where it is an IPv6 address. */
  hostname: string
  port: number
  /** The value of the header Host. */
  host: string
  /** The path of the bucket, without a slash at its end; empty where the bucket is a part of the host. */
  path: string
  /** The region in the scope of the signature. */
  region: string
}

/** The address of a bucket by the rules of the SDK: regions and partitions, endpoints, access points, path style. */
export async function findAddress({ config }: S3Client, bucket: string): Promise<BucketAddress> {
  const { url, properties } = await getEndpointFromInstructions(
    { Bucket: bucket },
    HeadBucketCommand,
    config as unknown as Record<string, unknown>,
  )
  const { protocol, hostname, port, host, pathname } = url
  const [scheme] = (properties?.authSchemes ?? []) as { signingRegion?: string }[]
  const isTls = protocol === 'https:'
  return {
    ...{ isTls, host },
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port) || (isTls ? 443 : 80),
    path: pathname.replace(/\/$/, ''),
    region: scheme?.signingRegion ?? (await config.region()),
  }
}

/** The percent-encoded path of an object in its bucket's path, or of the bucket itself (RFC 3986 section 2). */
export function pathOf(bucketPath: string, key: string | undefined): string {
  return key === undefined ? bucketPath || '/' : `${bucketPath}/${escapeUriPath(key)}`
}

/** The target of a request: its path and its percent-encoded query. */
export function targetOf(path: string, query: Record<string, string>): string {
  const pairs = Object.entries(query).map(([name, value]) => `${escapeUri(name)}=${escapeUri(value)}`)
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`
}
