import { failpoint } from '#failpoints.ts'
import { base64Of } from '#store/crc32.ts'
import type { Stored, StoredObject } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { explainPutFailure, translateError } from './errors.ts'
import type { Payload } from './http/payload.ts'
import { headObject } from './read.ts'

/** Milliseconds for the question whether an object exists although its request failed. */
const confirmTimeout = 2_000

/** Stores an object in a single request. @throws the signal's reason, or StowageError `storage_unavailable` */
export async function putObject(store: S3Bucket, key: string, payload: Payload, signal: AbortSignal): Promise<Stored> {
  const stored = () => ({ size: payload.size, checksum: store.checksums ? base64Of(payload.checksum) : undefined })
  const headers = { 'content-type': 'application/octet-stream', ...(store.isConditional && { 'if-none-match': '*' }) }
  try {
    failpoint('before-put')
    const answered = await store.dataPlane.send({ method: 'PUT', key, headers, payload, purpose: 'upload', signal })
    failpoint('after-put')
    return { ...stored(), isConfirmed: isSameChecksum(answered['x-amz-checksum-crc32'], stored().checksum) }
  } catch (error) {
    return await confirmByHead(store, key, stored(), signal, error)
  }
}

/**
 * Looks at the object after its request failed. A request that makes an object can fail although the object exists: when its
 * response is lost, or when a second try finds no such upload because the first succeeded.
 * @throws the translation of `error` when the object does not exist
 */
export async function confirmByHead(
  store: S3Bucket,
  key: string,
  expected: StoredObject,
  signal: AbortSignal,
  error: unknown,
): Promise<Stored> {
  if (!signal.aborted) {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(confirmTimeout)])
    const found = await headObject(store, key, limited).catch(() => undefined)
    if (found !== undefined && isSame(found, expected)) return { ...expected, isConfirmed: true }
  }
  throw translateError(error, signal, explainPutFailure)
}

/** Whether the store's response names the checksum of the bytes sent. */
export function isSameChecksum(answered: string | string[] | undefined, sent: string | undefined): boolean {
  return sent !== undefined && answered === sent
}

function isSame(found: StoredObject, expected: StoredObject): boolean {
  return found.size === expected.size && (found.checksum ?? expected.checksum) === expected.checksum
}
