import type { Stored, StoredObject } from '#store/object-store.ts'
import type { S3Bucket } from './bucket.ts'
import { headObject } from './head.ts'
import { explainPutFailure, translateError } from './told.ts'

/** Milliseconds for the question whether an object is there after all. */
const confirmTimeout = 2_000

/** Given, since without a reason an AbortError is made, with its stack, for every request there is. */
const isAnswered = 'The store has answered.'

/**
 * Sends a payload. A store may answer, and the SDK be content, before the whole payload has left; such a connection is
 * closed, so that nobody else's bytes are in its memory while it is still being sent.
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
 * A request that makes an object can fail although the object exists: when its answer is lost, or when it succeeded once
 * and is then, tried again, told that there is no such upload. So the object itself is asked for.
 * @throws what `error` is told as, when the object is not there
 */
export async function confirmByHead(
  store: S3Bucket,
  key: string,
  expected: StoredObject,
  signal: AbortSignal,
  error: unknown,
): Promise<Stored> {
  if (!signal.aborted) {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(confirmTimeout)])
    const found = await headObject(store, key, patience).catch(() => undefined)
    if (found !== undefined && isSame(found, expected)) return { ...expected, isConfirmed: true }
  }
  throw translateError(error, signal, explainPutFailure)
}

function isSame(found: StoredObject, expected: StoredObject): boolean {
  return found.size === expected.size && (found.checksum ?? expected.checksum) === expected.checksum
}

/** Whether the store, in its answer, names the checksum of what was sent. */
export function isSameChecksum(answered: string | undefined, sent: string | undefined): boolean {
  return sent !== undefined && answered === sent
}
