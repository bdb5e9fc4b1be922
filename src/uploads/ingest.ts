import { createHash, type Hash } from 'node:crypto'
import { StowageError, tooLarge } from '#domain/errors.ts'
import type { ObjectStore, PutOptions, Stored } from '#store/object-store.ts'

export interface IngestOptions extends Omit<PutOptions, 'size'> {
  store: ObjectStore
  objectKey: string
  /** The digest algorithms, without duplicates. */
  algorithms: readonly string[]
  /** In bytes. */
  maxFileSize: number
  /** In bytes, when the client declares the size. */
  declaredSize?: number | undefined
}

/** The size and digests measured while the bytes arrived, and the store's response. */
export interface Ingested {
  fileSize: number
  /** Lower-case hex, by algorithm. */
  digests: Readonly<Record<string, string>>
  stored: Stored
}

/**
 * Step 2: streams the bytes once, from the client through the limits and the digests into the store, at the speed of the store. A
 * limit fails inside the stream, so a body that exceeds it never looks complete.
 * @throws StowageError `too_large`, `invalid` for a size other than declared, `storage_unavailable`; the error of the body
 */
export async function ingest(body: AsyncIterable<Buffer>, options: IngestOptions): Promise<Ingested> {
  const hashes = options.algorithms.map((algorithm) => createHash(algorithm))
  const count = { bytes: 0 }
  const { store, objectKey, declaredSize, ...putOptions } = options
  // Opened before the store asks for the first chunk, so that a client that closes right after its last byte has sent the file.
  const chunks = body[Symbol.asyncIterator]()
  const bytes = { [Symbol.asyncIterator]: () => chunks }
  const stored = await store.put(objectKey, hashAndLimit(bytes, count, hashes, options), {
    ...putOptions,
    size: declaredSize,
  })
  const digests = options.algorithms.map((algorithm, index) => [algorithm, hashes[index]?.digest('hex')])
  return { fileSize: count.bytes, digests: Object.fromEntries(digests), stored }
}

/** Counts and hashes the bytes, and enforces the maximum and the declared size. */
async function* hashAndLimit(
  bytes: AsyncIterable<Buffer>,
  count: { bytes: number },
  hashes: readonly Hash[],
  { maxFileSize, declaredSize }: Pick<IngestOptions, 'maxFileSize' | 'declaredSize'>,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of bytes) {
    count.bytes += chunk.length
    if (count.bytes > maxFileSize) throw tooLarge(maxFileSize)
    if (declaredSize !== undefined && count.bytes > declaredSize) throw sizeDiffers(declaredSize, 'more')
    for (const hash of hashes) hash.update(chunk)
    yield chunk
  }
  if (declaredSize !== undefined && count.bytes < declaredSize) throw sizeDiffers(declaredSize, 'fewer')
}

function sizeDiffers(declaredSize: number, difference: string): StowageError {
  return new StowageError(
    'invalid',
    `The file has ${difference} than the ${declaredSize} bytes declared. Send it again.`,
  )
}
