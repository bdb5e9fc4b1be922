import { type InferSelectModel, sql } from 'drizzle-orm'
import {
  type AnyPgColumn,
  bigint,
  boolean,
  check,
  index,
  integer,
  pgSequence,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import type { ChecksumAlgorithm } from '#domain/digests.ts'
import { firstInternalId } from '#domain/ids.ts'
import {
  attachmentStates,
  leasedStates,
  readyState,
  reservedStates,
  statesAwaitingBytes,
  unfinishedEnds,
} from '#domain/states.ts'
import { stateLiterals } from './statements.ts'

const id = (name: string) => bigint(name, { mode: 'number' })
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })
const publicId = () => text('public_id').notNull()
const createdAt = () => time('created_at').notNull().defaultNow()
/** When the deletion of the contents was finished; `null` until then. */
const deletionFinishedAt = () => time('buried_at')

/** Ids of the rooms and messages that Stowage makes itself, up to the largest integer JSON carries safely. */
export const internalIds = pgSequence('own_ids', {
  startWith: firstInternalId,
  minValue: firstInternalId,
  maxValue: 2 ** 53 - 1,
})

/**
 * Positions in lists, assigned when an attachment becomes Ready. They start above the integer ids, which are the positions
 * of attachments without an assigned position.
 */
export const readyPositions = pgSequence('ready_positions', {
  startWith: 2 ** 40,
  minValue: 2 ** 40,
  maxValue: 2 ** 53 - 1,
})

/** The users of the chat backend, with its ids. */
export const users = pgTable(
  'users',
  {
    id: id('id').primaryKey(),
    createdAt: createdAt(),
    deletedAt: time('deleted_at'),
    deletionFinishedAt: deletionFinishedAt(),
  },
  (table) => [
    index('users_deletion_pending')
      .on(table.deletedAt)
      .where(sql`${table.deletedAt} is not null and ${table.deletionFinishedAt} is null`),
  ],
)

/**
 * Rooms, also called conversations. `id` is the integer id of the cookie API and `publicId` is the string id of the bearer
 * API. The same holds for messages and attachments.
 */
export const rooms = pgTable(
  'rooms',
  {
    id: id('id').primaryKey(),
    publicId: publicId(),
    /** Set for a user's personal room, which receives uploads that name no room. */
    ownerId: id('owner_id').references(() => users.id),
    createdAt: createdAt(),
    deletedAt: time('deleted_at'),
    deletionFinishedAt: deletionFinishedAt(),
  },
  (table) => [
    uniqueIndex('rooms_public_id').on(table.publicId),
    uniqueIndex('rooms_owner_id').on(table.ownerId),
    index('rooms_deletion_pending')
      .on(table.deletedAt)
      .where(sql`${table.deletedAt} is not null and ${table.deletionFinishedAt} is null`),
  ],
)

/** The memberships of users in rooms. */
export const members = pgTable(
  'members',
  {
    roomId: id('room_id')
      .notNull()
      .references(() => rooms.id),
    userId: id('user_id')
      .notNull()
      .references(() => users.id),
    moderator: boolean('moderator').notNull().default(false),
  },
  (table) => [primaryKey({ columns: [table.roomId, table.userId] }), index('members_user_id').on(table.userId)],
)

/** Messages. The cookie API calls them textMessages. */
export const messages = pgTable(
  'messages',
  {
    id: id('id').primaryKey(),
    publicId: publicId(),
    roomId: id('room_id')
      .notNull()
      .references(() => rooms.id),
    authorId: id('author_id')
      .notNull()
      .references(() => users.id),
    createdAt: createdAt(),
    deletedAt: time('deleted_at'),
    deletionFinishedAt: deletionFinishedAt(),
  },
  (table) => [
    uniqueIndex('messages_public_id').on(table.publicId),
    index('messages_room_id').on(table.roomId),
    index('messages_author_id').on(table.authorId),
    index('messages_deletion_pending')
      .on(table.deletedAt)
      .where(sql`${table.deletedAt} is not null and ${table.deletionFinishedAt} is null`),
  ],
)

const awaitsBytes = (table: { state: AnyPgColumn; deletedAt: AnyPgColumn }) =>
  sql`${table.deletedAt} is null and ${table.state} in (${stateLiterals(statesAwaitingBytes)})`

/**
 * The rows with an active writer. No index contains `lease_expires_at`, in its columns or in its condition, so that the
 * renewal of a lease is a HOT update: it adds no index entry, and the old row version needs no vacuum.
 */
const isLeased = (table: { state: AnyPgColumn; deletedAt: AnyPgColumn }) =>
  sql`${table.deletedAt} is null and ${table.state} in (${stateLiterals(leasedStates)})`

/**
 * One row per file. `attempts.ts` writes `state` for a new attachment or attempt, and `transitions.ts` writes all other
 * changes. `attempt` counts the upload attempts and is 0 for a reservation. `id` and `attempt` identify the object.
 * `deletedAt` is the tombstone, which hides the row at once.
 */
export const attachments = pgTable(
  'attachments',
  {
    id: id('id').primaryKey().generatedAlwaysAsIdentity(),
    publicId: publicId(),
    messageId: id('message_id')
      .notNull()
      .references(() => messages.id),
    roomId: id('room_id')
      .notNull()
      .references(() => rooms.id),
    uploaderId: id('uploader_id')
      .notNull()
      .references(() => users.id),
    fileName: text('file_name').notNull(),
    contentType: text('content_type').notNull(),
    /** Bytes declared by the client, or `null`. Separate from `fileSize`, because a retry is compared with it too. */
    declaredSize: id('declared_size'),
    /** Lower-case hex declared by the client, or `null`. */
    declaredChecksum: text('declared_checksum'),
    /** Bytes; `null` until the last byte is stored. */
    fileSize: id('file_size'),
    /** Lower-case hex; `null` until the last byte is hashed. */
    fileChecksum: text('file_checksum'),
    fileChecksumAlgorithm: text('file_checksum_algorithm').$type<ChecksumAlgorithm>().notNull(),
    /** Number of renames. It is signed in `file_url`, so that a link becomes invalid with a rename. */
    linkVersion: integer('link_version').notNull().default(0),
    state: text('state', { enum: attachmentStates }).notNull(),
    failureReason: text('failure_reason'),
    attempt: integer('attempt').notNull(),
    /** Position in lists, in the order of becoming Ready; see `readyPositions`. */
    readyPosition: id('ready_position'),
    /** When an active writer counts as dead unless it renews its lease; `null` without a writer. */
    leaseExpiresAt: time('lease_expires_at'),
    /** The id of the latest attempt's request, as in the logs. The files of a request become Ready together. */
    requestId: text('request_id'),
    createdAt: createdAt(),
    modifiedAt: time('modified_at').notNull().defaultNow(),
    deletedAt: time('deleted_at'),
  },
  (table) => [
    uniqueIndex('attachments_public_id').on(table.publicId),
    index('attachments_message_id').on(table.messageId, table.deletedAt, table.id),
    index('attachments_uploader').on(table.uploaderId, table.id).where(sql`${table.deletedAt} is null`),
    index('attachments_room').on(table.roomId, table.id).where(sql`${table.deletedAt} is null`),
    index('attachments_listed')
      .on(table.roomId, sql`coalesce(${table.readyPosition}, ${table.id})`)
      .where(sql`${table.deletedAt} is null and ${table.state} = ${stateLiterals([readyState])}`),
    index('attachments_leased').on(table.state).where(isLeased(table)),
    index('attachments_request')
      .on(table.requestId)
      .where(sql`${table.state} <> ${stateLiterals([readyState])}`),
    index('attachments_deleted').on(table.deletedAt, table.id).where(sql`${table.deletedAt} is not null`),
    index('attachments_awaiting_since').on(table.modifiedAt, table.id).where(awaitsBytes(table)),
    index('attachments_awaiting_of').on(table.uploaderId).where(awaitsBytes(table)),
    check('attachments_state', sql`${table.state} in (${stateLiterals(attachmentStates)})`),
    check(
      'attachments_lease_state',
      sql`${table.leaseExpiresAt} is null or ${table.state} in (${stateLiterals(leasedStates)})`,
    ),
    check(
      'attachments_ready_whole',
      sql`${table.state} <> ${stateLiterals([readyState])} or (${table.fileSize} is not null and ${table.fileChecksum} is not null)`,
    ),
    check(
      'attachments_ready_as_declared',
      sql`${table.state} <> ${stateLiterals([readyState])} or (${table.fileSize} = coalesce(${table.declaredSize}, ${table.fileSize}) and ${table.fileChecksum} = coalesce(${table.declaredChecksum}, ${table.fileChecksum}))`,
    ),
    check(
      'attachments_first_attempt',
      sql`(${table.attempt} = 0) = (${table.state} in (${stateLiterals(reservedStates)}))`,
    ),
    check('attachments_reserved_size', sql`${table.attempt} > 0 or ${table.declaredSize} is not null`),
  ],
)

export type Attachment = InferSelectModel<typeof attachments>

/** One attempt to upload the bytes of an attachment. */
export interface Attempt {
  id: number
  attempt: number
}

/**
 * Every key given to the object store. A row is committed before the store receives the key, and is kept until the store
 * can hold no bytes for the key. There is no foreign key, because the row outlives its attachment.
 */
export const objects = pgTable(
  'objects',
  {
    key: text('key').primaryKey(),
    attachmentId: id('attachment_id').notNull(),
    attempt: integer('attempt').notNull(),
    /** The store's id of the multipart upload, if there is one. */
    uploadId: text('upload_id'),
    createdAt: createdAt(),
    /** The time of the next removal of the bytes. Set when the object is scheduled for purge. */
    purgeAt: time('purge_at'),
    /** Number of removals. Late parts make more than one removal necessary. */
    purges: integer('purges').notNull().default(0),
    /** Failed removals in a row. Each failure increases the delay of the next try. */
    purgeFailures: integer('purge_failures').notNull().default(0),
    /** Part of a very large deletion, or removed before: in the second lane, so that it does not delay a first purge. */
    purgeLater: boolean('purge_later').notNull().default(false),
    /** When the scrub last read the bytes. */
    scrubbedAt: time('scrubbed_at'),
    /** The damage found by that scrub, in words; `null` when the bytes were whole. */
    damage: text('damage'),
  },
  (table) => [
    uniqueIndex('objects_attempt').on(table.attachmentId, table.attempt),
    index('objects_purge').on(table.purgeLater, table.purgeAt).where(sql`${table.purgeAt} is not null`),
    index('objects_damaged').on(table.key).where(sql`${table.damage} is not null`),
  ],
)

/** The runs of the scrub and their counts. */
export const scrubs = pgTable('scrubs', {
  id: id('id').primaryKey().generatedAlwaysAsIdentity(),
  startedAt: time('started_at').notNull(),
  endedAt: time('ended_at').notNull().defaultNow(),
  /** Objects that were read and match their rows. */
  whole: id('whole').notNull(),
  /** Objects that do not match their rows. */
  damaged: id('damaged').notNull(),
  /** Rows without an object. */
  missing: id('missing').notNull(),
  /** Objects and unfinished uploads without a row. */
  orphaned: id('orphaned').notNull(),
})

/**
 * The Postgres server on which the rows were last written, in a single row. Another system identifier or timeline means a
 * restored or promoted copy, which may lack the last acknowledged writes.
 */
export const databaseIdentity = pgTable(
  'database_identity',
  {
    /** Always true. */
    only: boolean('only').primaryKey().default(true),
    systemIdentifier: text('system_identifier').notNull(),
    timeline: integer('timeline').notNull(),
    seenAt: time('seen_at').notNull().defaultNow(),
    /** While set, recovery and purge are on hold, until a scrub has compared the rows with the store. */
    heldSince: time('held_since'),
  },
  (table) => [check('database_identity_only', sql`${table.only}`)],
)

/** The history: every transition of every attachment. `id` is the event id of the live stream. */
export const transitions = pgTable(
  'transitions',
  {
    id: id('id').primaryKey().generatedAlwaysAsIdentity(),
    attachmentId: id('attachment_id')
      .notNull()
      .references(() => attachments.id, { onDelete: 'cascade' }),
    attempt: integer('attempt').notNull(),
    /** `null` for the first row, whose `to` is `Initial`. */
    from: text('from', { enum: attachmentStates }),
    to: text('to', { enum: attachmentStates }).notNull(),
    at: time('at').notNull().defaultNow(),
    /** The reason, in words. */
    reason: text('reason').notNull(),
    /** `user:1`, or the worker's name. */
    actor: text('actor').notNull(),
  },
  (table) => [
    index('transitions_attachment_id').on(table.attachmentId, table.id),
    index('transitions_ends')
      .on(table.id)
      .where(sql`${table.to} in (${stateLiterals(unfinishedEnds)})`),
  ],
)

/** Bearer tokens. Only the SHA-256 of a token is stored. */
export const tokens = pgTable(
  'tokens',
  {
    id: id('id').primaryKey().generatedAlwaysAsIdentity(),
    tokenHash: text('token_hash').notNull(),
    userId: id('user_id')
      .notNull()
      .references(() => users.id),
    scopes: text('scopes').array().notNull(),
    createdAt: createdAt(),
    expiresAt: time('expires_at'),
    revokedAt: time('revoked_at'),
  },
  (table) => [
    uniqueIndex('tokens_token_hash').on(table.tokenHash),
    index('tokens_user_id').on(table.userId),
    index('tokens_end').on(sql`least(${table.expiresAt}, ${table.revokedAt})`),
  ],
)

/** Cookie sessions. Only the SHA-256 of a session is stored. A session from a token ends with the token. */
export const sessions = pgTable(
  'sessions',
  {
    id: id('id').primaryKey().generatedAlwaysAsIdentity(),
    sessionHash: text('session_hash').notNull(),
    userId: id('user_id')
      .notNull()
      .references(() => users.id),
    tokenId: id('token_id').references(() => tokens.id),
    scopes: text('scopes').array().notNull(),
    createdAt: createdAt(),
    expiresAt: time('expires_at').notNull(),
    revokedAt: time('revoked_at'),
  },
  (table) => [
    uniqueIndex('sessions_session_hash').on(table.sessionHash),
    index('sessions_token').on(table.tokenId, table.revokedAt, table.id).where(sql`${table.tokenId} is not null`),
    index('sessions_user').on(table.userId, table.revokedAt, table.id).where(sql`${table.tokenId} is null`),
    index('sessions_end').on(sql`least(${table.expiresAt}, ${table.revokedAt})`),
  ],
)
