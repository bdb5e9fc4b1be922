import { type SQL, sql } from 'drizzle-orm'
import { firstInternalId } from '#domain/ids.ts'
import { statesAwaitingBytes, unfinishedEnds } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { stateLiterals } from './statements.ts'

/** A position in a table that is read page by page. */
export interface Cursor {
  /** Text of a timestamp, in tables that are read in the order of a timestamp. */
  at: string
  id: number
}

/** The position before the first row. */
export const beginning: Cursor = { at: '-infinity', id: 0 }

/** The result of one page of a sweep. */
export interface SweptPage {
  /** The start of the next page; `undefined` after the last page. */
  next: Cursor | undefined
}

/** The parameters of a page of a sweep. */
export interface Page {
  /** Hours for which ended rows are kept. */
  hours: number
  after: Cursor
  /** Number of rows to scan. */
  limit: number
}

const cutoff = (hours: number) => sql`now() - make_interval(hours => ${hours})`

/** The result of expiring a page of attachments. */
export interface ExpiredPage extends SweptPage {
  /** The internal messages of the removed attachments. */
  internalMessageIds: number[]
}

/**
 * Removes the rows and the history of attachments that were deleted more than `hours` ago and have no object left.
 * Objects that were not scheduled for purge are scheduled. A server that stopped during a deletion may leave such objects.
 * @returns `handedOver`: the number of objects scheduled for purge
 */
export async function expireDeleted(db: Database, page: Page): Promise<ExpiredPage & { handedOver: number }> {
  return expireAttachments(db, page, {
    scanned: sql`deleted_at is not null`,
    since: sql`deleted_at`,
    isExpired: sql`a.deleted_at < ${cutoff(page.hours)}`,
  })
}

/**
 * Removes the rows and the history of attachments that failed or were only reserved, and that have not changed for
 * `hours`, once they have no object left. An attachment is kept when an upload begins during the statement: its row is
 * locked and skipped, or the lock reads the new state.
 */
export async function expireAwaiting(db: Database, page: Page): Promise<ExpiredPage> {
  const awaitsBytes = (row: SQL) =>
    sql`${row}deleted_at is null and ${row}state in (${stateLiterals(statesAwaitingBytes)})`
  return expireAttachments(db, page, {
    scanned: sql`${awaitsBytes(sql.raw(''))} and modified_at < ${cutoff(page.hours)}`,
    since: sql`modified_at`,
    isExpired: sql`${awaitsBytes(sql.raw('a.'))} and a.modified_at < ${cutoff(page.hours)}`,
  })
}

interface ExpiryRule {
  /** The rows to scan: the condition of their index. */
  scanned: SQL
  /** The column that orders the rows. */
  since: SQL
  /** The condition for removing a row `a`, evaluated again on the locked row. */
  isExpired: SQL
}

/** Looks up the rows of a page one by one, by a `lateral` with a lock. For a join Postgres may read all ended rows. */
async function expireAttachments(
  db: Database,
  { after, limit }: Page,
  { scanned, since, isExpired }: ExpiryRule,
): Promise<ExpiredPage & { handedOver: number }> {
  const [row] = await db.execute<{
    last: Cursor | null
    scanned: number
    internal_ids: number[]
    scheduled: number
  }>(sql`
    with page as materialized (
      select id, ${since} as since, deleted_at from attachments
      where ${scanned} and (${since}, id) > (${after.at}::timestamptz, ${after.id}::bigint)
      order by ${since}, id limit ${limit}
    ), scheduled as (
      update objects o set purge_at = now() from page
      where o.attachment_id = page.id and o.purge_at is null and page.deleted_at is not null
      returning o.key
    ), expired as (
      select e.id from page cross join lateral (
        select a.id from attachments a
        where a.id = page.id and ${isExpired} and not exists (select from objects o where o.attachment_id = a.id)
        for update of a skip locked
      ) e
    ), deleted as (
      delete from attachments a using expired where a.id = expired.id returning a.message_id
    )
    select (select count(*) from page)::int as scanned, (select count(*) from scheduled)::int as scheduled,
      (select jsonb_build_object('at', since::text, 'id', id) from page order by since desc, id desc limit 1) as last,
      (select coalesce(jsonb_agg(distinct message_id), '[]') from deleted where message_id >= ${firstInternalId})
        as internal_ids`)
  const { last, scanned: count, internal_ids, scheduled } = row as NonNullable<typeof row>
  return {
    next: count === limit && last !== null ? last : undefined,
    internalMessageIds: internal_ids,
    handedOver: scheduled,
  }
}

const isEmptyInternal = (hours: number) => sql`
  m.id >= ${firstInternalId} and m.created_at < ${cutoff(hours)}
    and not exists (select from attachments a where a.message_id = m.id)`

/** Removes the given messages that are internal, older than `hours` and without attachments. */
export async function expireInternalMessages(db: Database, hours: number, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return
  await db.execute(sql`
    delete from messages where id in (
      select m.id from messages m
      where m.id in (select value::bigint from jsonb_array_elements_text(${JSON.stringify(ids)}::text::jsonb))
        and ${isEmptyInternal(hours)}
      for update of m skip locked
    )`)
}

/**
 * Removes internal messages older than `hours` that have no attachment, page by page. Uploads that were refused or whose
 * server died leave such messages. Other internal messages are removed with their attachments. The rows are looked up one
 * by one, as in {@link expireAttachments}.
 */
export async function sweepInternalMessages(db: Database, { hours, after, limit }: Page): Promise<SweptPage> {
  const from = Math.max(after.id, firstInternalId - 1)
  const [row] = await db.execute<{ scanned: number; last: string | null }>(sql`
    with page as materialized (
      select id from messages where id > ${from} order by id limit ${limit}
    ), deleted as (
      delete from messages where id in (
        select e.id from page cross join lateral (
          select m.id from messages m where m.id = page.id and ${isEmptyInternal(hours)} for update of m skip locked
        ) e
      )
    )
    select count(*)::int as scanned, max(id) as last from page`)
  return { next: row?.scanned === limit ? { at: beginning.at, id: Number(row.last) } : undefined }
}

/**
 * Scans the ends of unsuccessful attempts. Removes the history of attempts that ended more than `hours` ago and were
 * followed by another attempt. The first step, the latest attempt and recent steps of an attachment are kept.
 */
export async function expireOldAttempts(db: Database, { hours, after, limit }: Page): Promise<SweptPage> {
  const [row] = await db.execute<{ scanned: number; last: string | null; isOld: boolean | null }>(sql`
    with page as materialized (
      select id, attachment_id, attempt, at < ${cutoff(hours)} as is_old from transitions
      where "to" in (${stateLiterals(unfinishedEnds)}) and id > ${after.id} order by id limit ${limit}
    ), deleted as (
      delete from transitions t using page, attachments a
      where page.is_old and a.id = page.attachment_id and a.attempt > page.attempt
        and t.attachment_id = page.attachment_id and t.attempt = page.attempt and t."from" is not null
    )
    select count(*)::int as scanned, max(id) as last, bool_and(is_old) as "isOld" from page`)
  const hasMore = row?.scanned === limit && row.isOld === true
  return { next: hasMore ? { at: beginning.at, id: Number(row.last) } : undefined }
}

/**
 * Removes sessions that expired or were revoked more than `hours` ago. Postgres looks up each id of an array. For an `in`
 * it may read the whole table.
 * @returns the number of removed sessions, at most `limit`
 */
export async function expireSessions(db: Database, hours: number, limit: number): Promise<number> {
  const rows = await db.execute(sql`
    delete from sessions where id = any (array (
      select id from sessions where least(expires_at, revoked_at) < ${cutoff(hours)}
      order by least(expires_at, revoked_at) limit ${limit} for update skip locked
    ))
    returning id`)
  return rows.length
}

/**
 * Removes sessions of the tokens that ended first, more than `hours` ago, and then the tokens without sessions.
 * @returns the larger of the numbers of removed sessions and tokens, at most `limit`
 */
export async function expireTokens(db: Database, hours: number, limit: number): Promise<number> {
  const endedFirst = sql`
    select id from tokens where least(expires_at, revoked_at) < ${cutoff(hours)}
    order by least(expires_at, revoked_at) limit ${limit}`
  const sessions = await db.execute(sql`
    with page as materialized (${endedFirst})
    delete from sessions where id = any (array (
      select s.id from page cross join lateral (
        select id from sessions where token_id = page.id limit ${limit} for update skip locked
      ) s limit ${limit}
    ))
    returning id`)
  const tokens = await db.execute(sql`
    with page as materialized (${endedFirst})
    delete from tokens where id = any (array (
      select e.id from page cross join lateral (
        select t.id from tokens t where t.id = page.id and not exists (select from sessions s where s.token_id = t.id)
        for update of t skip locked
      ) e
    ))
    returning id`)
  return Math.max(sessions.length, tokens.length)
}

/** Removes all scrubs except the latest `kept`. @returns the number of removed scrubs, at most `limit` */
export async function expireScrubs(db: Database, kept: number, limit: number): Promise<number> {
  const rows = await db.execute(sql`
    delete from scrubs where id in (select id from scrubs order by id desc offset ${kept} limit ${limit}) returning id`)
  return rows.length
}
