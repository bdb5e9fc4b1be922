import { abortable } from '#async/abortable.ts'
import type { S3Bucket } from './bucket.ts'
import { type BufferLease, type BufferPool, blockSize } from './buffer-pool.ts'
import { type Payload, StreamedBytes } from './http/payload.ts'
import { minimumPartSize } from './part-size.ts'
import { collectExactly } from './parts.ts'

/** A body on its way to the store. */
export interface Transfer {
  body: AsyncIterable<Uint8Array>
  /** Aborts when the caller does, and by `fail`. */
  signal: AbortSignal
  /** Aborts every request of the transfer. */
  fail(error: unknown): void
}

/** Runs `send` on a body. When the result is there or has failed, no request is in progress and the body is let go. */
export async function transfer<T>(
  body: AsyncIterable<Uint8Array>,
  caller: AbortSignal,
  send: (transfer: Transfer) => Promise<T>,
): Promise<T> {
  const failure = new AbortController()
  const signal = AbortSignal.any([caller, failure.signal])
  const fail = (error: unknown) => failure.abort(error)
  const source = abortable(body, signal)
  try {
    return await send({ body: source, signal, fail })
  } catch (error) {
    fail(error)
    throw error
  } finally {
    await source.return()
  }
}

/**
 * Runs `send` on a payload of exactly `size` bytes. A body that fits one part is collected while memory is plentiful, so that
 * it is sent without a question and can be sent again; any other is streamed.
 */
export async function sendSized<T>(
  store: S3Bucket,
  { body, fail }: Transfer,
  size: number,
  send: (payload: Payload) => Promise<T>,
): Promise<T> {
  using lease = leaseFor(store.buffers, size)
  if (lease === undefined) return await send(streamed(store, body, size, fail))
  const part = await collectExactly(body, lease, store.checksums)
  try {
    return await send(part)
  } finally {
    part.release()
  }
}

/** A body that is so short that a copy costs nothing is always collected. */
function leaseFor(buffers: BufferPool, size: number): BufferLease | undefined {
  if (size <= blockSize) return buffers.open(size)
  return size <= minimumPartSize ? buffers.openShared(size) : undefined
}

/** The next `size` bytes of a body, none of which is kept. */
export function streamed(
  store: S3Bucket,
  body: AsyncIterable<Uint8Array>,
  size: number,
  fail: Transfer['fail'],
): Payload {
  return new StreamedBytes(body, size, { withChecksum: store.checksums, onFailure: fail })
}
