/** The longest waits for the store, in milliseconds. */
export interface S3Timeouts {
  /** For a free connection, and until it is open. */
  connect: number
  /** Without a byte in either direction: while a request is sent, until its response begins, and within the response. */
  silence: number
  /** For CompleteMultipartUpload: some stores copy all parts together before they answer. */
  completion: number
  /** Until the response begins to a request for which no client waits; by default as `silence`. */
  background?: number
}

/**
 * A client gets a response within 20 s when the store is silent. Besides these waits, the 20 s cover the wait for the
 * response 100, and the question whether the object exists.
 */
export const defaultTimeouts: S3Timeouts = { connect: 3_000, silence: 7_000, completion: 120_000, background: 30_000 }
