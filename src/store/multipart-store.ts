import type { Stored } from './stored-object.ts'

/** An upload in progress. A plain JSON value: a caller keeps it and goes on with it in another process. */
export interface MultipartSession {
  key: string
  uploadId: string
  /** Bytes of every part but the last. */
  partSize: number
}

/** A part that the store has made durable. A plain JSON value, to be kept with its session. */
export interface StoredPart {
  /** From 1 to 10,000: the place of the part in the object. */
  number: number
  /** Bytes. */
  size: number
  /** CRC32 of the bytes, four bytes big-endian in base64, unless checksums are switched off. */
  checksum?: string | undefined
  /** The store's name for exactly these bytes. */
  etag?: string | undefined
}

/** The bytes that a part is announced to have, and the signal that ends its transfer. */
export interface PutPartOptions {
  /** The exact length of the body in bytes. The store counts: a body of another length fails. */
  size: number
  /** Aborts the transfer, also while the body hangs; `putPart` then rejects with the signal's reason. */
  signal: AbortSignal
}

/**
 * Uploads of an object in parts (S3 multipart upload). Nothing about a session is kept in memory: every call works with
 * the values it is given, in any process that opens the same store.
 *
 * - Parts may be sent in any order, and at the same time. Every part but the last has exactly the session's `partSize`;
 *   some stores insist on equal sizes. Only an empty object has an empty part.
 * - A part that is sent again replaces the one before, which the store then no longer needs to have.
 * - `complete` names the exact bytes of each part. So the late bytes of a writer that was given up never count: where they
 *   have replaced a part, the completion is refused, and that part has to be sent again.
 * - `ObjectStore.list` lists sessions as `uploads`, and `ObjectStore.remove` removes them with their key.
 *
 * Every method rejects with a StowageError: `not_found` when the session no longer exists, `storage_unavailable` when the
 * store cannot be reached or refuses, `internal` when the caller breaks one of the rules above. `putPart` passes on an
 * error of the body and the reason of its signal as they are.
 */
export interface MultipartStore {
  /** The least number of bytes that a part other than the last may have. */
  readonly minimumPartSize: number

  /**
   * Creates a session. The object appears under `key` when the session is completed.
   * @param options.partSize bytes, from `minimumPartSize`; an object has 10,000 parts at most
   */
  create(key: string, options: { partSize: number }): Promise<MultipartSession>

  /**
   * Stores a part and resolves when it is durable. Reads the body no faster than the store accepts it, and keeps no more
   * than 256 KiB of it in memory. Its chunks are passed on without a copy, so they must not change afterwards. After a
   * failure the caller sends the part again: whether the store has the old bytes of this number or the new ones is open.
   */
  putPart(
    session: MultipartSession,
    number: number,
    body: AsyncIterable<Uint8Array>,
    options: PutPartOptions,
  ): Promise<StoredPart>

  /**
   * Makes the parts the object. The store verifies that it has each of them as listed. A key that is taken is refused,
   * and its object stays as it was. When the object was already made of these parts, because the result of an earlier call
   * was lost, the call succeeds.
   * @param parts all of the object, in any order
   * @param options.signal ends the wait; whether the object appears is then open until the next call or `remove`
   */
  complete(session: MultipartSession, parts: readonly StoredPart[], options?: { signal?: AbortSignal }): Promise<Stored>

  /**
   * Removes the session and its parts. A session that was completed or aborted before is no error, and an object that was
   * made of it stays. A `putPart` that was not ended before fails, or leaves bytes that `ObjectStore.remove` finds.
   */
  abort(session: MultipartSession, options?: { signal?: AbortSignal }): Promise<void>
}
