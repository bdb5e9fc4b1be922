/**
 * The limits that are constants: of the size of a request, and of every wait. Schemas, parsers, timers, tests and the README's
 * table read them here. The limits that are settings are in `settings.ts`.
 */
export const limits = {
  /** Bytes of a request body that is no file. */
  plainBody: 16 * 1024,
  /** Bytes of the body that names the members of a room, which needs the scope `admin`. */
  roomBody: 256 * 1024,
  /** Milliseconds in which a body that is no file must have come. */
  plainBodyTime: 30_000,
  /** Milliseconds in which the head of a request must have come. */
  headTime: 20_000,
  /**
   * Milliseconds for which a connection that we have ended waits for the client to close it, and throws away what still comes,
   * such as the rest of a request that was answered early.
   */
  drainTime: 10_000,
  /** Bytes of that rest; with more the connection is closed. */
  drainBytes: 64 * 2 ** 20,
  /** Headers of a request. Each costs memory beside its bytes. */
  headers: 100,
  /** Requests that wait on one connection while an earlier one is answered. */
  pipelined: 10,
  /** Bytes of the heads of these requests together. */
  pipelinedHeads: 16 * 1024,
  /** Bytes of answers, of all connections together, that their clients have not read and the network has not taken. */
  unreadAnswers: 64 * 2 ** 20,
  /** Chunks of a body that may be as small as they like: with more, they have at least `meanChunk` bytes in the mean. */
  smallChunks: 4 * 1024,
  /** Bytes of a chunk of a body, in the mean of all that are more than `smallChunks`. */
  meanChunk: 16,
  /** Members that one request names. */
  roomMembers: 10_000,

  /** Characters of an address, which is in the head of a request: Node takes no longer one. */
  address: 16 * 1024,
  /** Characters of a part of an address: 255 bytes of a file name, percent-encoded, and room for longer names, which get an error of their own. */
  pathPart: 2048,
  /** Bytes of a file name in UTF-8. */
  fileName: 255,
  /** Characters of a file name as a client sends it: 255 bytes in any of its encodings. A longer name is not looked into. */
  sentFileName: 1024,
  /** Characters of a media type that a client claims. */
  contentType: 255,
  /** Characters of any other text of a request. */
  text: 1024,
  /** Characters that an error quotes of its own request. */
  quote: 64,

  /** Bytes of a form field's value. */
  formField: 1024,
  /** Bytes of all the fields of a form. */
  formFields: 256 * 1024,
  /** Headers of a part of a form. */
  partHeaders: 32,
  /** Bytes of a line in the head of a part. */
  partHeaderLine: 2 * 1024,
  /** Bytes of the head of a part. */
  partHead: 16 * 1024,
  /** Bytes before the first boundary of a form and behind its last. */
  formPreamble: 16 * 1024,
  /** Characters of a boundary (RFC 2046 section 5.1.1). */
  boundary: 70,

  /** Attachments in one page of a message's. */
  messagePage: 1000,
  /** Attachments in one page of the bearer API. */
  page: 100,
  /** Steps of history in one answer. */
  transitionsPage: 1000,
  /** Changes of a client between the client-side states of one attachment. */
  clientSideMoves: 100,

  /** Milliseconds for one statement, from the moment it is asked for to its answer. */
  statement: 15_000,
  /** Milliseconds after the last byte is stored in which the client of an upload is answered, whatever the database does. */
  publish: 18_000,
  /** Milliseconds in which a connection to the database must be usable. */
  connect: 4_000,
  /** Milliseconds for one statement of a migration, which may build an index over a large table. */
  migrationStatement: 3_600_000,
  /** Milliseconds for which a migration waits for others' locks, in short tries. */
  migrationWait: 600_000,
  /** Milliseconds that a readiness probe waits for database and store. */
  readiness: 3_000,
  /** Milliseconds for one round of a worker that reads no file. */
  workerRound: 60_000,
  /** Milliseconds over which the minimum rate of a transfer is measured. */
  rateWindow: 30_000,
} as const

/** How long clients may keep the server waiting, in milliseconds. Tests set shorter times. */
export type ClientTimeouts = Readonly<Record<'plainBodyTime' | 'headTime' | 'drainTime' | 'rateWindow', number>>
