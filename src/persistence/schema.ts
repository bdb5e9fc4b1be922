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
/** When nothing of what a deletion hid was left to bury; `null` until then. */
const deletionFinishedAt = () => time('buried_at')

/** Ids of the rooms and messages that Stowage makes itself, up to the largest integer JSON carries safely. */
export const internalIds = pgSequence('own_ids', {
  startWith: firstInternalId,
  minValue: firstInternalId,
  maxValue: 2 ** 53 - 1,
})

/**
 * Positions in lists, given when an attachment becomes Ready. They begin above the integer ids, which are the positions of
 * attachments that have none.
 */
export const readyPositions = pgSequence('ready_positions', {
  startWith: 2 ** 40,
  minValue: 2 ** 40,
  maxValue: 2 ** 53 - 1,
})

/** People, as the chat backend names them. */
export const users = pgTable(
  'users',
  {
    id: id('id').primaryKey(),
    createdAt: createdAt(),
    deletedAt: time('deleted_at'),
    buriedAt: deletionFinishedAt(),
  },
  (table) => [
    index('users_deletion_pending')
      .on(table.deletedAt)
      .where(sql`${table.deletedAt} is not null and ${table.buriedAt} is null`),
  ],
)

/**
 * A room is a conversation: `id` is the integer of the cookie API, `publicId` the string of the bearer API. So it is with
 * messages and attachments.
 */
export const rooms = pgTable(
  'rooms',
  {
    id: id('id').primaryKey(),
    publicId: publicId(),
    /** Set for a user's own conversation, where uploads go that name no other. */
    ownerId: id('owner_id').references(() => users.id),
    createdAt: createdAt(),
    deletedAt: time('deleted_at'),
    buriedAt: deletionFinishedAt(),
  },
  (table) => [
    uniqueIndex('rooms_public_id').on(table.publicId),
    uniqueIndex('rooms_owner_id').on(table.ownerId),
    index('rooms_deletion_pending')
      .on(table.deletedAt)
      .where(sql`${table.deletedAt} is not null and ${table.buriedAt} is null`),
  ],
)

/** Who is in which room. */
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

/** A textMessage of the cookie API is a message of the bearer API. */
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
    buriedAt: deletionFinishedAt(),
  },
  (table) => [
    uniqueIndex('messages_public_id').on(table.publicId),
    index('messages_room_id').on(table.roomId),
    index('messages_author_id').on(table.authorId),
    index('messages_deletion_pending')
      .on(table.deletedAt)
      .where(sql`${table.deletedAt} is not null and ${table.buriedAt} is null`),
  ],
)

const awaitsBytes = (table: { state: AnyPgColumn; deletedAt: AnyPgColumn }) =>
  sql`${table.deletedAt} is null and ${table.state} in (${stateLiterals(statesAwaitingBytes)})`

/**
 * The rows with a writer at work. No index contains `lease_expires_at`, in its columns or in its condition, so that renewing a
 * lease is a HOT update: it makes no entry in any index, and the row version before it needs no vacuum.
 */
const isLeased = (table: { state: AnyPgColumn; deletedAt: AnyPgColumn }) =>
  sql`${table.deletedAt} is null and ${table.state} in (${stateLiterals(leasedStates)})`

/**
 * One row a file. `state` is written by `transitions.ts` alone; `attempt` counts the tries to bring its bytes in, 0 as
 * long as it is only reserved, and names, with `id`, the object they lie in. `deletedAt` is the tombstone that hides the
 * row at once.
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
    /** Bytes, as the client declares them, or `null`. Kept apart from what is measured: a retry is compared with it too. */
    declaredSize: id('declared_size'),
    /** Lower-case hex, as the client declares it, or `null`. */
    declaredChecksum: text('declared_checksum'),
    /** Bytes; `null` until the last byte is stored. */
    fileSize: id('file_size'),
    /** Lower-case hex; `null` until the last byte is hashed. */
    fileChecksum: text('file_checksum'),
    fileChecksumAlgorithm: text('file_checksum_algorithm').$type<ChecksumAlgorithm>().notNull(),
    /** Counts the renames. Part of what `file_url` signs, so that a link dies with the name it was made for. */
    linkVersion: integer('link_version').notNull().default(0),
    state: text('state', { enum: attachmentStates }).notNull(),
    failureReason: text('failure_reason'),
    attempt: integer('attempt').notNull(),
    /** Position in lists, the latest to become Ready first; see `readyPositions`. */
    readyPosition: id('ready_position'),
    /** While a writer is at work: when it counts as dead unless it renews. */
    leaseExpiresAt: time('lease_expires_at'),
    /** The request that brought the bytes of the latest attempt, as the logs name it. Its files become Ready together. */
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

/** One try to bring in the bytes of one attachment. */
export interface Attempt {
  id: number
  attempt: number
}

/**
 * Every key the object store was ever told, committed before the store heard of it, until nothing can lie under it any
 * more. No foreign key: it outlives its attachment.
 */
export const objects = pgTable(
  'objects',
  {
    key: text('key').primaryKey(),
    attachmentId: id('attachment_id').notNull(),
    attempt: integer('attempt').notNull(),
    /** The store's id of the multipart upload, once it has one. */
    uploadId: text('upload_id'),
    createdAt: createdAt(),
    /** Set when the bytes are to go: when to remove them, for the first time or again. */
    purgeAt: time('purge_at'),
    /** How often they have been removed; late parts are why once is not enough. */
    purges: integer('purges').notNull().default(0),
    /** How often in a row that failed: each time it is tried again later. */
    purgeFailures: integer('purge_failures').notNull().default(0),
    /** Part of a very large deletion, or removed before: comes in the second lane, so that no first purge waits behind it. */
    purgeLater: boolean('purge_later').notNull().default(false),
    /** When the scrub last read the bytes. */
    scrubbedAt: time('scrubbed_at'),
    /** What the scrub found wrong with the bytes then, in words; `null` when they were whole. */
    damage: text('damage'),
  },
  (table) => [
    uniqueIndex('objects_attempt').on(table.attachmentId, table.attempt),
    index('objects_purge').on(table.purgeLater, table.purgeAt).where(sql`${table.purgeAt} is not null`),
    index('objects_damaged').on(table.key).where(sql`${table.damage} is not null`),
  ],
)

/** The runs of the scrub, and how many of what each one found. */
export const scrubs = pgTable('scrubs', {
  id: id('id').primaryKey().generatedAlwaysAsIdentity(),
  startedAt: time('started_at').notNull(),
  endedAt: time('ended_at').notNull().defaultNow(),
  /** Objects that were read and are what their rows say. */
  whole: id('whole').notNull(),
  /** Objects that are not what their rows say. */
  damaged: id('damaged').notNull(),
  /** Rows whose object is not there. */
  missing: id('missing').notNull(),
  /** Objects and unfinished uploads that no row knows. */
  orphaned: id('orphaned').notNull(),
})

/**
 * The Postgres server that the rows were last written on: one row. Another system identifier or timeline means that this is
 * a restored or promoted copy, which may lack what was acknowledged last.
 */
export const databaseIdentity = pgTable(
  'database_identity',
  {
    /** Always true. */
    only: boolean('only').primaryKey().default(true),
    systemIdentifier: text('system_identifier').notNull(),
    timeline: integer('timeline').notNull(),
    seenAt: time('seen_at').notNull().defaultNow(),
    /** While set, recovery and purge are held: a scrub has not yet compared the rows with the store. */
    heldSince: time('held_since'),
  },
  (table) => [check('database_identity_only', sql`${table.only}`)],
)

/** The history: every move of every attachment. `id` is the event id of the live stream. */
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
    /** Why, in words. */
    reason: text('reason').notNull(),
    /** Who: `user:1`, or the worker's name. */
    actor: text('actor').notNull(),
  },
  (table) => [
    index('transitions_attachment_id').on(table.attachmentId, table.id),
    index('transitions_ends')
      .on(table.id)
      .where(sql`${table.to} in (${stateLiterals(unfinishedEnds)})`),
  ],
)

/** Bearer tokens, of which only the sha256 is kept. */
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

/** Cookie sessions, of which only the sha256 is kept. One that came from a token ends with it. */
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
