import postgres from 'postgres'
import { firstInternalId } from '#domain/ids.ts'

const ready = 'ReadyForDownloadFromServerToClient'
const failed = 'UploadFromClientToServerFailed'
const uploading = 'UploadFromClientToServerInProgress'
const verifying = 'ChecksumVerificationOnServerSideInProgress'

/** Tables that grow with what people do, each before those it refers to. */
export const growing = [
  ...['transitions', 'attachments', 'objects', 'sessions', 'tokens', 'messages', 'members', 'rooms', 'users'],
] as const

/** Those that stand out, by their ids. */
export const special = {
  /** In 20,000 rooms. */
  busyUser: 2_000_000,
  /** Holds 300,000 attachments, the last 100,000 of which are reserved. */
  fullRoom: 2_000_001,
  /** In the full room, 30,000 of whose attachments are deleted. */
  emptiedMessage: 2_000_002,
  /** Each holds 5,000 attachments, with which it can be deleted. */
  toBeDeleted: [
    { room: 2_000_003, user: 2_000_004, message: 2_000_005 },
    { room: 2_000_006, user: 2_000_007, message: 2_000_008 },
  ],
} as const

const { busyUser, fullRoom, emptiedMessage, toBeDeleted } = special
/** Behind all that the server gives out meanwhile. */
const ownIds = firstInternalId + 100_000_000
const rowsOf = (row: (one: (typeof toBeDeleted)[number]) => string) => toBeDeleted.map(row).join(', ')

const users = `
  insert into users (id) select 1000000 + g from generate_series(1, 50000) g
  union all values (${busyUser}), ${rowsOf(({ user }) => `(${user})`)}`

const rooms = `
  insert into rooms (id, public_id) select 1000000 + g, 'room ' || g from generate_series(1, 50000) g
  union all values (${fullRoom}, 'theFullestOfRoom'), ${rowsOf(({ room }) => `(${room}, 'toBeDeleted ${room}')`)}`

const ownRooms = `
  insert into rooms (id, public_id, owner_id)
  select ${ownIds} + 1000000 + g, 'own room ' || g, 1000000 + g from generate_series(1, 50000) g
  union all values (${ownIds} + ${busyUser}, 'own of busy', ${busyUser}),
    ${rowsOf(({ user }) => `(${ownIds} + ${user}, 'own of ${user}', ${user})`)}`

const members = `
  insert into members (room_id, user_id)
  select 1000001 + g % 50000, 1000001 + (g * 7 + g / 50000) % 50000 from generate_series(1, 300000) g
  union select 1000000 + g, ${busyUser} from generate_series(1, 20000) g
  union select room, 1000000 + g from generate_series(1, 5000) g, (values (${fullRoom}), ${rowsOf(({ room }) => `(${room})`)}) as rooms(room)
  union values (${fullRoom}, 2), (${fullRoom}, ${busyUser}), ${rowsOf(({ room, user }) => `(${room}, ${user})`)}
  order by 1, 2`

const messages = `
  insert into messages (id, public_id, room_id, author_id)
  select 1000000 + g, 'message ' || g, 1000001 + g % 50000, 1000001 + g % 50000 from generate_series(1, 250000) g
  union all select 3000000 + g, 'full ' || g, ${fullRoom}, 1000001 + g % 5000 from generate_series(1, 50000) g
  union all values (${emptiedMessage}, 'emptied', ${fullRoom}, ${busyUser}),
    ${rowsOf(({ message, room }) => `(${message}, 'toBeDeleted ${message}', ${fullRoom}, ${busyUser}), (${room}, 'in ${room}', ${room}, ${busyUser})`)}`

/** Hours for which what has ended is kept: one in two has ended longer ago than the first, the others longer than the second. */
export const retentions = [48, 24] as const

const old = `now() - (30 + g % 2 * 30) * interval '1 hour'`

/** Of uploads that named no message; of the last 3,000 nothing came. */
const ownMessages = `
  insert into messages (id, public_id, room_id, author_id, created_at)
  select ${ownIds} + 1000000 + g, 'own ' || g, ${ownIds} + 1000001 + g % 50000, 1000001 + g % 50000,
    ${old}
  from generate_series(1, 43000) g`

const columns = `public_id, message_id, room_id, uploader_id, file_name, content_type, declared_size, file_size, file_checksum,
  file_checksum_algorithm, state, attempt, request_id, lease_expires_at, created_at, modified_at, deleted_at, ready_position`

/** Attachments that are alike; the texts are SQL, in which `g` counts them. */
interface Kind {
  name: string
  count: number
  message: string
  room: string
  uploader: string
  state?: string
  since?: string
  leased?: boolean
  deleted?: string
}

const usual = {
  message: '1000001 + g % 250000',
  room: '1000001 + (g % 250000 + 1) % 50000',
  uploader: '1000001 + g % 50000',
}
const inFullRoom = { message: '3000001 + g % 50000', room: `${fullRoom}`, uploader: '1000001 + g % 5000' }
const lately = "now() - g * interval '10 milliseconds'"
const longAgo = `${old} - g * interval '1 second'`

const kinds: Kind[] = [
  { name: 'usual', count: 550_000, ...usual },
  {
    name: 'own',
    count: 40_000,
    message: `${ownIds} + 1000000 + g`,
    room: `${ownIds} + 1000001 + g % 50000`,
    uploader: '1000001 + g % 50000',
  },
  { name: 'full', count: 200_000, ...inFullRoom },
  { name: 'of busy', count: 20_000, message: '1000000 + g', room: '1000001 + g % 50000', uploader: `${busyUser}` },
  {
    name: 'emptied',
    count: 30_000,
    message: `${emptiedMessage}`,
    room: `${fullRoom}`,
    uploader: `${busyUser}`,
    deleted: lately,
  },
  ...toBeDeleted.flatMap(({ room, user, message }) => [
    { name: `of ${room}`, count: 5000, ...inFullRoom, message: `${room}`, room: `${room}` },
    { name: `of ${user}`, count: 5000, ...inFullRoom, uploader: `${user}` },
    { name: `of ${message}`, count: 5000, ...inFullRoom, message: `${message}` },
  ]),
  { name: 'old failed', count: 4000, ...usual, state: failed, since: longAgo },
  { name: 'new failed', count: 20_000, ...usual, state: failed },
  { name: 'old deleted', count: 4000, ...usual, deleted: longAgo },
  { name: 'new deleted', count: 10_000, ...usual, deleted: lately },
  { name: 'reserved', count: 100_000, ...inFullRoom, state: 'Initial' },
  { name: 'uploading', count: 200, ...usual, state: uploading, leased: true },
  { name: 'verifying', count: 100, ...usual, state: verifying, leased: true },
]

/** A public id of the g-th of a kind. */
const idOf = (name: string) => `substr(md5('${name} ' || g), 1, 16)`

function attachmentsOf({
  name,
  count,
  message,
  room,
  uploader,
  state = ready,
  since = 'now()',
  leased,
  deleted,
}: Kind): string {
  const isReserved = state === 'Initial'
  const isMeasured = state === ready || state === verifying
  const values = [
    ...[idOf(name), message, room, uploader, "'a.txt'", "'text/plain'", '1'],
    ...(isMeasured ? ['1', "repeat('ab', 32)"] : ['null', 'null']),
    ...["'sha256'", `'${state}'`, isReserved ? '0' : '1', isReserved ? 'null' : `'${name} ' || g / 3`],
    leased ? "now() + (g - 50) * interval '1 second'" : 'null',
    ...[since, since, deleted ?? 'null', state === ready ? "nextval('ready_positions')" : 'null'],
  ]
  return `insert into attachments (${columns}) select ${values.join(', ')} from generate_series(1, ${count}) g`
}

/** Of what was deleted and failed lately the bytes are still there: half is due, in both lanes. */
const objects = `
  insert into objects (key, attachment_id, attempt, purge_at, purges, purge_later)
  select substr(md5(id::text), 1, 2) || '/' || md5(id::text), id, attempt,
    case when deleted_at is not null or state = '${failed}' then now() + (id % 100 - 50) * interval '1 minute' end,
    id % 3, id % 2 = 0
  from attachments where attempt > 0 and modified_at > now() - interval '1 day' and coalesce(deleted_at, now()) > now() - interval '1 day'
  order by 1`

/** One step each; of 4,000 files also an attempt that failed long ago. */
const transitions = [
  `insert into transitions (attachment_id, attempt, "from", "to", at, reason, actor)
   select id, 0, 'Initial', '${failed}', ${old}, 'a test', 'user:1'
   from (select id, id as g from attachments where state = '${ready}' order by id limit 4000) files`,
  `insert into transitions (attachment_id, attempt, "to", reason, actor)
   select id, attempt, state, 'a test', 'user:1' from attachments`,
]

/** Seven in eight have ended, 2,000 of them long ago. */
const ended = `case when g % 8 = 0 then null when g <= 2286 then ${old} else now() end`

const tokens = `
  insert into tokens (token_hash, user_id, scopes, revoked_at)
  select 'token ' || g, 1000001 + g % 50000, '{read}', ${ended} from generate_series(1, 200000) g`

const sessions = [
  `insert into sessions (session_hash, user_id, scopes, expires_at, revoked_at)
   select 'session ' || g, 1000001 + g % 50000, '{read}', now() + interval '9 days', ${ended} from generate_series(1, 100000) g`,
  `insert into sessions (session_hash, user_id, scopes, expires_at, revoked_at)
   select 'ended ' || g, ${busyUser}, '{read}', now() + interval '9 days', now() from generate_series(1, 100000) g`,
  `insert into sessions (session_hash, user_id, token_id, scopes, expires_at)
   select 'of token ' || id, user_id, id, '{read}', now() + interval '9 days' from tokens order by id limit 40000`,
]

/**
 * A database as it is after a long time: a million attachments and what belongs to them, unevenly. Without indexes while it
 * is filled, which come back as the migrations have made them, and with statistics.
 */
export async function fillWithAMillion(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  try {
    for (const setting of [
      "session_replication_role = 'replica'",
      "maintenance_work_mem = '200MB'",
      'synchronous_commit = off',
    ])
      await sql.unsafe(`set ${setting}`)
    const indexes = await sql<{ name: string; definition: string }[]>`
      select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
      from pg_index i
      where i.indrelid = any (${sql.array([...growing])}::text[]::regclass[])
        and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`
    for (const table of growing) {
      await sql.unsafe(`alter table ${table} set (autovacuum_enabled = off)`)
      // Spares the disk a gigabyte of write-ahead log.
      await sql.unsafe(`alter table ${table} set unlogged`)
    }
    for (const { name } of indexes) await sql.unsafe(`drop index ${name}`)
    const filling = [users, rooms, ownRooms, members, messages, ownMessages, ...kinds.map(attachmentsOf), objects]
    for (const statement of [...filling, ...transitions, tokens, ...sessions]) await sql.unsafe(statement)
    for (const { definition } of indexes) await sql.unsafe(definition)
    // More is looked at than usual, so that the plans are the same each time.
    await sql.unsafe('set default_statistics_target = 500')
    await sql.unsafe(`vacuum (analyze) ${growing.join(', ')}`)
  } finally {
    await sql.end()
  }
}
