import { sql } from 'drizzle-orm'
import type { Database } from '#persistence/connection/client.ts'

/** The values that distinguish one Postgres server from another. */
export interface ServerIdentity {
  /** Created by `initdb` and kept by standbys and physical backups. Empty where the database may not read it. */
  systemIdentifier: string
  /** Incremented by each promotion and each point-in-time recovery. 0 where the database may not read it. */
  timeline: number
}

/** The result of a check of the server. */
export interface IdentityCheck {
  server: ServerIdentity
  /** The previous server of the rows, when this check was the first to find another server. */
  before: ServerIdentity | undefined
  /** The start of a hold, in which no attempt is failed and no object is removed; `undefined` without a hold. */
  heldSince: Date | undefined
}

type Row = { system_identifier: string; timeline: number; seen_system: string; seen_timeline: number; held: string }

/** Ids that a lost server may have assigned beyond those in its copy. */
const idsSkipped = 1_000_000

const tablesWithIds = ['attachments', 'transitions', 'tokens', 'sessions']

/**
 * Compares the server with the last known server of the rows. Another server is a promoted standby or a restored copy.
 * The first replica that finds another server skips the ids that the lost server may have assigned, and begins a hold.
 * @param afterFailover `continue`: no hold after a promotion, which keeps the system identifier
 */
export async function checkServerIdentity(db: Database, afterFailover: 'hold' | 'continue'): Promise<IdentityCheck> {
  const known = await readIdentity(db)
  if (known && isSame(known)) return toCheck(known)
  return db.transaction(async (tx) => {
    await tx.execute(sql`
      insert into database_identity (system_identifier, timeline)
      select system_identifier, timeline from current_server() on conflict do nothing`)
    await tx.execute(sql`select from database_identity for update`)
    const row = (await readIdentity(tx)) as Row
    if (isSame(row)) return toCheck(row)
    // Timeline 0: the database could not read the identity before, so the server need not be another.
    const isAnother = row.seen_timeline !== 0
    const isPromotion = row.system_identifier === row.seen_system
    if (isAnother) await skipIds(tx)
    const keepsHold = !isAnother || (isPromotion && afterFailover === 'continue')
    await tx.execute(sql`
      update database_identity set system_identifier = ${row.system_identifier}, timeline = ${row.timeline},
        seen_at = now(), held_since = ${keepsHold ? sql`held_since` : sql`now()`}`)
    const check = toCheck((await readIdentity(tx)) as Row)
    return isAnother ? { ...check, before: { systemIdentifier: row.seen_system, timeline: row.seen_timeline } } : check
  })
}

/** @returns `undefined` before the first check */
async function readIdentity(db: Pick<Database, 'execute'>): Promise<Row | undefined> {
  const [row] = await db.execute<Row>(sql`
    select s.system_identifier, s.timeline, i.system_identifier as seen_system, i.timeline as seen_timeline,
      extract(epoch from i.held_since) as held
    from database_identity i, current_server() s`)
  return row
}

function isSame(row: Row): boolean {
  return row.system_identifier === row.seen_system && row.timeline === row.seen_timeline
}

function toCheck({ system_identifier, timeline, held }: Row): IdentityCheck {
  const heldSince = held === null ? undefined : new Date(Number(held) * 1000)
  return { server: { systemIdentifier: system_identifier, timeline }, before: undefined, heldSince }
}

/** The state of the server for the doctor. @returns `undefined` before the first check */
export async function describeServer(
  db: Database,
): Promise<(ServerIdentity & { isSame: boolean; isHeld: boolean }) | undefined> {
  const row = await readIdentity(db)
  if (row === undefined) return undefined
  const { server, heldSince } = toCheck(row)
  return { ...server, isSame: isSame(row), isHeld: heldSince !== undefined }
}

async function skipIds(db: Pick<Database, 'execute'>): Promise<void> {
  await db.execute(sql`
    select setval(sequence, nextval(sequence) + ${idsSkipped}) from (
      select pg_get_serial_sequence(name, 'id')::regclass as sequence
      from jsonb_array_elements_text(${JSON.stringify(tablesWithIds)}::text::jsonb) as name
      union all select 'own_ids'::regclass
      union all select 'ready_positions'::regclass
    ) as sequences`)
}

/** Whether failures and removals are forbidden: during a hold, and on a server without a check. */
export async function isHeld(db: Database): Promise<boolean> {
  const row = await readIdentity(db)
  return row !== undefined && (row.held !== null || !isSame(row))
}

/** The start of the hold; `undefined` without a hold. */
export async function readHold(db: Database): Promise<Date | undefined> {
  const row = await readIdentity(db)
  return row && toCheck(row).heldSince
}

/**
 * Begins a hold and skips ids, as for another server. It serves a copy with the identity of its original.
 * @returns the number of ids skipped in each sequence
 */
export async function declareRestored(db: Database): Promise<number> {
  await checkServerIdentity(db, 'hold')
  await db.transaction(async (tx) => {
    await tx.execute(sql`update database_identity set seen_at = now(), held_since = now()`)
    await skipIds(tx)
  })
  return idsSkipped
}

/**
 * Ends the hold that began at `heldSince`.
 * @returns false when that hold has ended already, or another one began
 */
export async function releaseHold(db: Database, heldSince: Date): Promise<boolean> {
  const rows = await db.execute(sql`
    update database_identity set held_since = null
    where held_since = ${heldSince.toISOString()}::timestamptz
    returning seen_at`)
  return rows.length > 0
}

/** Tokens or sessions that one statement scans. */
const revocationBatch = 5000

/** Revokes all tokens and all sessions, in batches. @returns the number of each */
export async function revokeCredentials(db: Database): Promise<{ tokens: number; sessions: number }> {
  return { tokens: await revokeAll(db, 'tokens'), sessions: await revokeAll(db, 'sessions') }
}

async function revokeAll(db: Database, table: 'tokens' | 'sessions'): Promise<number> {
  const name = sql.identifier(table)
  let revoked = 0
  let after: number | null = 0
  while (after !== null) {
    const [row]: { revoked: number; last: string | null }[] = await db.execute(sql`
      with page as materialized (
        select id from ${name} where id > ${after} order by id limit ${revocationBatch}
      ), ended as (
        update ${name} set revoked_at = now()
        where id > ${after} and id <= (select max(id) from page) and revoked_at is null
        returning id
      )
      select (select count(*) from ended)::int as revoked, (select max(id) from page) as last`)
    revoked += row?.revoked ?? 0
    after = row?.last == null ? null : Number(row.last)
  }
  return revoked
}
