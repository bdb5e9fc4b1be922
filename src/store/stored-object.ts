/** The store's view of one object. */
export interface StoredObject {
  /** Bytes. */
  size: number
  /**
   * The store's own checksum in the store's own notation, where the store keeps one. Equal strings mean equal bytes;
   * `undefined` means that nothing is known.
   */
  checksum?: string | undefined
}

/** The result of storing an object. */
export interface Stored extends StoredObject {
  /** The store has already reported the finished object with this checksum: a `head` would report nothing new. */
  isConfirmed: boolean
}

/** An inclusive byte range (RFC 9110 section 14.1.2). */
export interface ByteRange {
  first: number
  last: number
}

/**
 * The three kinds of entries that can be listed: objects; noncurrent versions and delete markers, where the bucket keeps
 * them; unfinished uploads.
 */
export type Listing = 'objects' | 'versions' | 'uploads'

/** One entry of a listing. */
export interface ListEntry {
  /** The key, or the name of an entry that another program has put into the store. */
  key: string
  /** The time at which the object was stored or the upload was created. */
  storedAt: Date
  /** Bytes, where the store reports them. */
  size?: number | undefined
  /** The id of an unfinished multipart upload. */
  uploadId?: string | undefined
}
