import { PutObjectCommand } from '@aws-sdk/client-s3'
import { failpoint } from '#failpoints.ts'
import { base64Of } from '#store/crc32.ts'
import type { Stored, StoredObject } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { explainPutFailure, translateError } from './errors.ts'
import { asBody, type Payload } from './payload.ts'
import { headObject } from './read.ts'

/** Milliseconds for the question whether an object exists although its request failed. */
const confirmTimeout = 2_000

/** An explicit reason. Without one, each abort constructs an AbortError with a stack trace. */
const isAnswered = 'The store has answered.'

/** Stores an object in a single request. @throws the signal's reason, or StowageError `storage_unavailable` */
export async function putObject(store: S3Bucket, key: string, payload: Payload, signal: AbortSignal): Promise<Stored> {
  const { client, bucket: Bucket, checksums, writing } = store
  const stored = () => ({ size: payload.size, checksum: checksums ? base64Of(payload.checksum) : undefined })
  try {
    const command = new PutObjectCommand({ Bucket, Key: key, Body: asBody(payload), ...writing })
    failpoint('before-put')
    const { ChecksumCRC32 } = await abortAfterResponse(signal, (abortSignal) => client.send(command, { abortSignal }))
    failpoint('after-put')
    return { ...stored(), isConfirmed: isSameChecksum(ChecksumCRC32, stored().checksum) }
  } catch (error) {
    return await confirmByHead(store, key, stored(), signal, error)
  }
}

/**
 * Sends a payload. A store can respond, and the SDK accept the response, before the whole payload has left. Such a connection
 * is closed, so that the payload's memory can be used for other bytes.
 */
export async function abortAfterResponse<T>(
  signal: AbortSignal,
  send: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  const answered = new AbortController()
  try {
    return await send(AbortSignal.any([signal, answered.signal]))
  } finally {
    answered.abort(isAnswered)
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
export function isSameChecksum(answered: string | undefined, sent: string | undefined): boolean {
  return sent !== undefined && answered === sent
}

function isSame(found: StoredObject, expected: StoredObject): boolean {
  return found.size === expected.size && (found.checksum ?? expected.checksum) === expected.checksum
}
