import { createHash, type Hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { StowageError } from '../errors.ts'
import type { ObjectStore, PutOptions, StoredObject } from '../store/object-store.ts'

export interface IngestOptions extends PutOptions {
  store: ObjectStore
  objectKey: string
  algorithm: string
  /** Most bytes. */
  maxFileSize: number
  /** Bytes the client says it sends. */
  declaredSize?: number | undefined
}

/** What was counted and hashed on the way, and what the store says it took. */
export interface Ingested {
  fileSize: number
  /** Lower-case hex. */
  fileChecksum: string
  stored: StoredObject
}

/**
 * Step 2: the bytes pass once, from the client through the limit and the digest into the store, no faster than the store
 * takes them. Limits fail inside the stream, so a body that breaks one never looks finished.
 * @throws StowageError `too_large`, `invalid` for a size other than declared, `storage_unavailable`; or the body's own error
 */
export async function ingest(body: Readable, options: IngestOptions): Promise<Ingested> {
  const digest = createHash(options.algorithm)
  const count = { bytes: 0 }
  const stored = await pipeline(
    body,
    (bytes: AsyncIterable<Buffer>) => limited(bytes, count, options),
    (bytes: AsyncIterable<Buffer>) => hashed(bytes, digest),
    (bytes: AsyncIterable<Buffer>) => options.store.put(options.objectKey, bytes, options),
    { signal: options.signal },
  ).catch((error: unknown) => {
    // pipeline reports any abort as its own AbortError; the reason is what the client should read.
    options.signal.throwIfAborted()
    throw error
  })
  return { fileSize: count.bytes, fileChecksum: digest.digest('hex'), stored }
}

async function* limited(
  bytes: AsyncIterable<Buffer>,
  count: { bytes: number },
  { maxFileSize, declaredSize }: Pick<IngestOptions, 'maxFileSize' | 'declaredSize'>,
): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    count.bytes += chunk.length
    if (count.bytes > maxFileSize) throw tooLarge(maxFileSize)
    if (declaredSize !== undefined && count.bytes > declaredSize) throw sizeDiffers(declaredSize, 'more')
    yield chunk
  }
  if (declaredSize !== undefined && count.bytes < declaredSize) throw sizeDiffers(declaredSize, 'fewer')
}

async function* hashed(bytes: AsyncIterable<Buffer>, digest: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    digest.update(chunk)
    yield chunk
  }
}

export function tooLarge(maxFileSize: number): StowageError {
  return new StowageError('too_large', `The file is larger than ${maxFileSize} bytes. Send a smaller one.`)
}

function sizeDiffers(declaredSize: number, difference: string): StowageError {
  return new StowageError(
    'invalid',
    `The file has ${difference} than the ${declaredSize} bytes declared. Send it again.`,
  )
}
