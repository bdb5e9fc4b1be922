import type { Readable } from 'node:stream'

/** What a store holds under a key. */
export interface StoredObject {
  /** Bytes. */
  size: number
  /**
   * The store's own checksum, when it keeps one, in the store's own notation. Equal strings mean equal bytes;
   * `undefined` says nothing.
   */
  checksum?: string | undefined
}

/** What a put has stored. */
export interface Stored extends StoredObject {
  /** The store itself has already told of the finished object: `head` would tell nothing new. */
  isConfirmed: boolean
}

/** An inclusive byte range, as in RFC 9110 section 14.1.2. */
export interface ByteRange {
  first: number
  last: number
}

export interface PutOptions {
  /** Aborts the transfer; the put then rejects with the signal's reason. After the last byte it may come too late. */
  signal: AbortSignal
  /**
   * Bytes, when they are known: a body of another length fails. The store then need not collect the body in parts, which
   * costs least memory and CPU, but what has left cannot be sent again when the store fails in the middle.
   */
  size?: number | undefined
  /** Bytes the body has at most, when that is known and `size` is not. A hint only. */
  atMost?: number | undefined
  /**
   * Called once, and awaited, when the store has opened a multipart upload and before its first part is sent: the
   * caller records the id, so that a crash leaves nothing it cannot name.
   */
  onUpload?: (uploadId: string) => Promise<void>
}

export interface GetOptions {
  range?: ByteRange
  signal: AbortSignal
  /** Whether no client waits for it: then it does not compete with clients for connections. */
  isInBackground?: boolean
}

/**
 * What can be listed: objects; old versions and delete markers, of a bucket that keeps them; and what a put has begun and
 * not finished.
 */
export type Listing = 'objects' | 'versions' | 'uploads'

/** What lies in the store, as a listing tells it. */
export interface ListEntry {
  /** A key, or whatever name somebody else has given what lies there. */
  key: string
  /** When it was stored, or begun. */
  storedAt: Date
  /** Bytes, where the store tells. */
  size?: number | undefined
  /** Of an unfinished multipart upload. */
  uploadId?: string | undefined
}

export interface ListOptions {
  /** Only what lies under this key. */
  key?: string | undefined
  signal: AbortSignal
}

/**
 * Where the bytes lie. Keys are chosen by the caller, match `[a-z0-9/]+` and are never written twice. Every method
 * rejects with a {@link StowageError} `storage_unavailable` when the store cannot be reached or refuses to work.
 * `test/store/contract.ts` is the behaviour every adapter must show.
 */
export interface ObjectStore {
  /** For logs and the doctor: which store this is, without secrets. */
  readonly description: string

  /**
   * Stores every byte of `body` under `key` and resolves when they are durable. Reads no faster than the store takes
   * them. When `body` fails, or `signal` aborts, it rejects with that error, no complete object appears, and what was
   * already sent is left for {@link remove}.
   */
  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<Stored>

  /** What the store holds under `key`, or `undefined` when it holds nothing. */
  head(key: string, options?: { signal?: AbortSignal }): Promise<StoredObject | undefined>

  /**
   * The bytes of `key`, all of them or `range`. Rejects with `not_found` when there is no such object. Destroying the
   * stream closes the read from the store; so does `signal`.
   */
  get(key: string, options: GetOptions): Promise<Readable>

  /**
   * Leaves nothing of `key`: no object, no version of it, no unfinished upload, no temporary file. Doing it again, or
   * for a key that never existed, is no error.
   */
  remove(key: string, options?: { uploadId?: string | undefined; signal?: AbortSignal }): Promise<void>

  /**
   * Everything of one kind that lies in the store, whoever put it there, in no order, in pages of about a thousand. What comes
   * or goes in the meantime may be listed or not. Rejects with `forbidden` when the store does not let this be listed.
   */
  list(listing: Listing, options: ListOptions): AsyncIterable<ListEntry[]>

  /** Resolves when the store answers and can be used; rejects saying what to fix. */
  check(signal: AbortSignal): Promise<void>

  /** Releases sockets and buffers. Nothing may be under way. */
  close(): Promise<void>
}
