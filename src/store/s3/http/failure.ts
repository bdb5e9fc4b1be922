import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { parseXML } from '@aws-sdk/xml-builder'

/** Bytes of an error document that are read. */
const mostBytes = 64 * 1024

/** A response that is not a success, in the form of the SDK's errors: the error code is the name. */
export class S3Failure extends Error {
  readonly $metadata: { httpStatusCode: number }
  readonly headers: IncomingHttpHeaders
  /** The region of the bucket, where the response names it. */
  readonly region: string | undefined

  constructor(status: number, headers: IncomingHttpHeaders, { code, message, region }: ErrorDocument) {
    super(message || `The store answered ${status} without a message`)
    this.name = code || withoutCode
    this.$metadata = { httpStatusCode: status }
    this.headers = headers
    this.region = (headers['x-amz-bucket-region'] as string | undefined) || region
  }
}

/**
 * The elements of an error document.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
interface ErrorDocument {
  code?: string | undefined
  message?: string | undefined
  region?: string | undefined
}

/** The name of a failure whose response has no error code, as the response to a HEAD request. */
export const withoutCode = 'UnknownError'

/** Reads the error document of a response. @throws the error of a response that breaks off */
export async function readFailure(response: IncomingMessage): Promise<S3Failure> {
  const { statusCode = 0, headers } = response
  return new S3Failure(statusCode, headers, parseError(await readText(response)))
}

/** The elements of the document; none when the document is of another kind. */
function parseError(text: string): ErrorDocument {
  try {
    const { Error: error } = parseXML(text) as { Error?: Record<string, unknown> }
    return { code: textOf(error?.Code), message: textOf(error?.Message), region: textOf(error?.Region) }
  } catch {
    return {}
  }
}

function textOf(element: unknown): string | undefined {
  return typeof element === 'string' ? element : undefined
}

/** The text of a response; of a long one, the beginning. */
async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > mostBytes) break
  }
  return Buffer.concat(chunks).toString()
}

/** MinIO's message for a disk without room, under status 500 and code InternalError, until it next examines the disk. */
export function saysDiskFull(message: string): boolean {
  return message.includes('no space left on device')
}
