import { createHash, type Hash } from 'node:crypto'
import { StowageError, tooLarge } from '#domain/errors.ts'
import type { ObjectStore, PutOptions, Stored } from '#store/object-store.ts'

export interface IngestOptions extends Omit<PutOptions, 'size'> {
  store: ObjectStore
  objectKey: string
  /** The digests to compute, each once. */
  algorithms: readonly string[]
  /** Most bytes. */
  maxFileSize: number
  /** Bytes the client declares. */
  declaredSize?: number | undefined
}

/** The size and digests that were measured while the bytes arrived, and the store's answer. */
export interface Ingested {
  fileSize: number
  /** Lower-case hex, by algorithm. */
  digests: Readonly<Record<string, string>>
  stored: Stored
}

/**
 * Step 2: the bytes pass once, from the client through the limit and the digests into the store, no faster than the store
 * takes them. Limits fail inside the stream, so a body that breaks one never looks finished.
 * @throws StowageError `too_large`, `invalid` for a size other than declared, `storage_unavailable`; or the body's own error
 */
export async function ingest(body: AsyncIterable<Buffer>, options: IngestOptions): Promise<Ingested> {
  const hashes = options.algorithms.map((algorithm) => createHash(algorithm))
  const count = { bytes: 0 }
  const { store, objectKey, declaredSize, ...putOptions } = options
  const stored = await store.put(objectKey, hashAndLimit(body, count, hashes, options), {
    ...putOptions,
    size: declaredSize,
  })
  const digests = options.algorithms.map((algorithm, index) => [algorithm, hashes[index]?.digest('hex')])
  return { fileSize: count.bytes, digests: Object.fromEntries(digests), stored }
}

/** The only place where the bytes of a file are counted and limited. */
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
