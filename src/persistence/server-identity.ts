import { sql } from 'drizzle-orm'
import type { Database } from '#persistence/connection/client.ts'

/** The marks that tell one Postgres server from another. */
export interface ServerIdentity {
  /** Made by `initdb`, and kept by standbys and physical backups. Empty where the database may not ask. */
  systemIdentifier: string
  /** One more after each promotion and each recovery to a point in time. 0 where the database may not ask. */
  timeline: number
}

/** The result of a look at the server. */
export interface IdentityCheck {
  server: ServerIdentity
  /** The one that the rows lay on before, when this look was the first that saw another. */
  before: ServerIdentity | undefined
  /** Since when nothing is failed or removed; `undefined` when everything goes on. */
  heldSince: Date | undefined
}

type Row = { system_identifier: string; timeline: number; seen_system: string; seen_timeline: number; held: string }

/** Ids that a lost server may have given out beyond those that its copy knows of. */
const idsSkipped = 1_000_000

const numbered = ['attachments', 'transitions', 'tokens', 'sessions']

/**
 * Compares the server with the one that the rows were last seen on. The first of all replicas to see another, a promoted
 * standby or a restored copy, passes over the ids that may have been given out and are not known here, and begins a hold.
 * @param afterFailover `continue`: no hold for a mere promotion, in which the system identifier stays
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
    // Timeline 0 means that the database could not ask before: its server need not have changed.
    const isAnother = row.seen_timeline !== 0
    const isPromotion = row.system_identifier === row.seen_system
    if (isAnother) await skipIds(tx)
    const goesOn = !isAnother || (isPromotion && afterFailover === 'continue')
    await tx.execute(sql`
      update database_identity set system_identifier = ${row.system_identifier}, timeline = ${row.timeline},
        seen_at = now(), held_since = ${goesOn ? sql`held_since` : sql`now()`}`)
    const look = toCheck((await readIdentity(tx)) as Row)
    return isAnother ? { ...look, before: { systemIdentifier: row.seen_system, timeline: row.seen_timeline } } : look
  })
}

/** @returns `undefined` before the first server has looked */
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

/** What the doctor tells of the server. @returns `undefined` before the first server has looked */
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
      from jsonb_array_elements_text(${JSON.stringify(numbered)}::text::jsonb) as name
      union all select 'own_ids'::regclass
      union all select 'ready_positions'::regclass
    ) as sequences`)
}

/** Whether nothing may be failed or removed now: while a hold lasts, and on a server that nobody has looked at yet. */
export async function isHeld(db: Database): Promise<boolean> {
  const row = await readIdentity(db)
  return row !== undefined && (row.held !== null || !isSame(row))
}

/** Since when nothing is failed or removed; `undefined` when everything goes on. */
export async function readHold(db: Database): Promise<Date | undefined> {
  const row = await readIdentity(db)
  return row && toCheck(row).heldSince
}

/**
 * Acts as if another server had been seen, for a copy that looks like the server it was made of.
 * @returns how many ids of each kind were passed over
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
 * Ends the hold that began then.
 * @returns false when it has ended already, or another one began
 */
export async function releaseHold(db: Database, heldSince: Date): Promise<boolean> {
  const rows = await db.execute(sql`
    update database_identity set held_since = null
    where held_since = ${heldSince.toISOString()}::timestamptz
    returning seen_at`)
  return rows.length > 0
}

/** Tokens or sessions that one statement looks at. */
const revocationBatch = 5000

/** Ends every token and every session there is, a batch after the other. @returns how many of each */
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
