/**
 * The constant limits on the size of a request and on every wait. Schemas, parsers, timers, tests and the README's table
 * read these constants. Configurable limits are in `config/settings.ts`.
 */
export const limits = {
  /** Bytes of a request body other than a file. */
  plainBody: 16 * 1024,
  /** Bytes of a body with the members of a room. The request needs the scope `admin`. */
  roomBody: 256 * 1024,
  /** Milliseconds within which a body other than a file must arrive. */
  plainBodyTime: 30_000,
  /** Milliseconds within which the head of a request must arrive. */
  headTime: 20_000,
  /**
   * Milliseconds that the server waits for the client to close a connection after the server has ended it. Bytes that
   * still arrive are discarded, such as the rest of a request with an early response.
   */
  drainTime: 10_000,
  /** Bytes discarded during `drainTime`. After more bytes the connection is closed. */
  drainBytes: 64 * 2 ** 20,
  /** Headers of a request. Each costs memory besides its bytes. */
  headers: 100,
  /** Requests that wait on one connection for the response to an earlier request. */
  pipelined: 10,
  /** Bytes of the heads of the waiting requests together. */
  pipelinedHeads: 16 * 1024,
  /** Bytes of responses in memory, over all connections: not read by the client and not taken by the network. */
  unreadAnswers: 64 * 2 ** 20,
  /** Chunks of a body without a minimum size. Further chunks must have at least `meanChunk` bytes on average. */
  smallChunks: 4 * 1024,
  /** Bytes of a chunk of a body: the minimum mean size of the chunks in excess of `smallChunks`. */
  meanChunk: 16,
  /** Members in one request. */
  roomMembers: 10_000,

  /** Characters of a URL. Node accepts no longer head of a request, and the URL is part of the head. */
  address: 16 * 1024,
  /** Characters of a path segment: a percent-encoded file name of 255 bytes. Longer names fit and get a specific error. */
  pathPart: 2048,
  /** Bytes of a file name in UTF-8. */
  fileName: 255,
  /** Characters of a file name as a client sends it: 255 bytes in any encoding. A longer name is not examined. */
  sentFileName: 1024,
  /** Characters of a media type in a request. */
  contentType: 255,
  /** Characters of any other text in a request. */
  text: 1024,
  /** Characters of a request that an error quotes. */
  quote: 64,

  /** Bytes of a form field's value. */
  formField: 1024,
  /** Bytes of all fields of a form together. */
  formFields: 256 * 1024,
  /** Headers of a part of a form. */
  partHeaders: 32,
  /** Bytes of a line in the head of a part. */
  partHeaderLine: 2 * 1024,
  /** Bytes of the head of a part. */
  partHead: 16 * 1024,
  /** Bytes of a form before its first boundary and after its last. */
  formPreamble: 16 * 1024,
  /** Characters of a boundary (RFC 2046 section 5.1.1). */
  boundary: 70,

  /** Attachments of a message in one page. */
  messagePage: 1000,
  /** Attachments in one page of the bearer API. */
  page: 100,
  /** History steps in one response. */
  transitionsPage: 1000,
  /** Transitions by a client between the client-side states of one attachment. */
  clientSideMoves: 100,

  /** Milliseconds from the submission of a statement to its result. */
  statement: 15_000,
  /** Milliseconds from the last stored byte of an upload to its response, even when the database does not respond. */
  publish: 18_000,
  /** Milliseconds within which a connection to the database must be usable. */
  connect: 4_000,
  /** Milliseconds for one statement of a migration, which may build an index over a large table. */
  migrationStatement: 3_600_000,
  /** Milliseconds for which a migration waits for others' locks, in short tries. */
  migrationWait: 600_000,
  /** Milliseconds that a readiness probe waits for the database and the store. */
  readiness: 3_000,
  /** Milliseconds for one round of a worker that reads no file. */
  workerRound: 60_000,
  /** Milliseconds over which the minimum rate of a transfer is measured. */
  rateWindow: 30_000,
} as const

/** The time limits for clients, in milliseconds. Tests set shorter limits. */
export type ClientTimeouts = Readonly<Record<'plainBodyTime' | 'headTime' | 'drainTime' | 'rateWindow', number>>
