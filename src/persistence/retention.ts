import { type SQL, sql } from 'drizzle-orm'
import { firstInternalId } from '#domain/ids.ts'
import { statesAwaitingBytes, unfinishedEnds } from '#domain/states.ts'
import type { Database } from '#persistence/connection/client.ts'
import { stateLiterals } from './statements.ts'

/** A place in a table that is gone through page by page. */
export interface Cursor {
  /** Text of a timestamp, in tables that are gone through in the order of one. */
  at: string
  id: number
}

/** Before the first row. */
export const beginning: Cursor = { at: '-infinity', id: 0 }

/** One page of a sweep. */
export interface SweptPage {
  /** Where the next page begins; `undefined` when this was the last one. */
  next: Cursor | undefined
}

/** The parameters of a page of a sweep. */
export interface Page {
  /** How long what has ended is kept. */
  hours: number
  after: Cursor
  /** How many rows are looked at. */
  limit: number
}

const cutoff = (hours: number) => sql`now() - make_interval(hours => ${hours})`

/** The result of forgetting a page of attachments. */
export interface ExpiredPage extends SweptPage {
  /** The messages that Stowage made for them. */
  internalMessageIds: number[]
}

/**
 * Removes the rows, with their history, of attachments that were deleted more than `hours` ago and of which no object is left.
 * Objects of those that were not handed to the purge, which a server that stopped half-way may leave, are.
 */
export async function expireDeleted(db: Database, page: Page): Promise<ExpiredPage & { handedOver: number }> {
  return expireAttachments(db, page, {
    looked: sql`deleted_at is not null`,
    since: sql`deleted_at`,
    hasEnded: sql`a.deleted_at < ${cutoff(page.hours)}`,
  })
}

/**
 * Removes the rows, with their history, of attachments that failed, or were reserved and never used, and that nothing has
 * happened to for `hours`, once no object of them is left. One whose upload begins meanwhile is locked and passed over, or,
 * once it has begun, in another state when its row is read anew for the lock.
 */
export async function expireAwaiting(db: Database, page: Page): Promise<ExpiredPage> {
  const awaitsBytes = (row: SQL) =>
    sql`${row}deleted_at is null and ${row}state in (${stateLiterals(statesAwaitingBytes)})`
  return expireAttachments(db, page, {
    looked: sql`${awaitsBytes(sql.raw(''))} and modified_at < ${cutoff(page.hours)}`,
    since: sql`modified_at`,
    hasEnded: sql`${awaitsBytes(sql.raw('a.'))} and a.modified_at < ${cutoff(page.hours)}`,
  })
}

interface ExpiryRule {
  /** The rows that are gone through: the condition of the index for them. */
  looked: SQL
  /** The column that orders them. */
  since: SQL
  /** The condition on a row `a`, read anew, that it may go. */
  hasEnded: SQL
}

/** Looks up the rows of a page one by one, by a `lateral` with a lock: for a join Postgres may read all that have ended. */
async function expireAttachments(
  db: Database,
  { after, limit }: Page,
  { looked, since, hasEnded }: ExpiryRule,
): Promise<ExpiredPage & { handedOver: number }> {
  const [row] = await db.execute<{ last: Cursor | null; looked: number; own: number[]; handed_over: number }>(sql`
    with page as materialized (
      select id, ${since} as since, deleted_at from attachments
      where ${looked} and (${since}, id) > (${after.at}::timestamptz, ${after.id}::bigint)
      order by ${since}, id limit ${limit}
    ), handed_over as (
      update objects o set purge_at = now() from page
      where o.attachment_id = page.id and o.purge_at is null and page.deleted_at is not null
      returning o.key
    ), ended as (
      select e.id from page cross join lateral (
        select a.id from attachments a
        where a.id = page.id and ${hasEnded} and not exists (select from objects o where o.attachment_id = a.id)
        for update of a skip locked
      ) e
    ), gone as (
      delete from attachments a using ended where a.id = ended.id returning a.message_id
    )
    select (select count(*) from page)::int as looked, (select count(*) from handed_over)::int as handed_over,
      (select jsonb_build_object('at', since::text, 'id', id) from page order by since desc, id desc limit 1) as last,
      (select coalesce(jsonb_agg(distinct message_id), '[]') from gone where message_id >= ${firstInternalId}) as own`)
  const { last, looked: count, own, handed_over } = row as NonNullable<typeof row>
  return {
    next: count === limit && last !== null ? last : undefined,
    internalMessageIds: own,
    handedOver: handed_over,
  }
}

const isEmptyInternal = (hours: number) => sql`
  m.id >= ${firstInternalId} and m.created_at < ${cutoff(hours)}
    and not exists (select from attachments a where a.message_id = m.id)`

/** Removes, of these messages, those that Stowage made more than `hours` ago and that hold no attachment any more. */
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
 * Goes through the messages that Stowage made and removes those of more than `hours` ago that hold no attachment: of uploads
 * that were refused or whose server died. The others go with their attachments. Looks them up one by one, as {@link expireAttachments} does.
 */
export async function sweepInternalMessages(db: Database, { hours, after, limit }: Page): Promise<SweptPage> {
  const from = Math.max(after.id, firstInternalId - 1)
  const [row] = await db.execute<{ looked: number; last: string | null }>(sql`
    with page as materialized (
      select id from messages where id > ${from} order by id limit ${limit}
    ), gone as (
      delete from messages where id in (
        select e.id from page cross join lateral (
          select m.id from messages m where m.id = page.id and ${isEmptyInternal(hours)} for update of m skip locked
        ) e
      )
    )
    select count(*)::int as looked, max(id) as last from page`)
  return { next: row?.looked === limit ? { at: beginning.at, id: Number(row.last) } : undefined }
}

/**
 * Goes through the ends of attempts that came to nothing and removes the steps of those more than `hours` ago that another
 * attempt followed. Kept of an attachment: its first step, its latest attempt, and what happened lately.
 */
export async function expireOldAttempts(db: Database, { hours, after, limit }: Page): Promise<SweptPage> {
  const [row] = await db.execute<{ looked: number; last: string | null; isOld: boolean | null }>(sql`
    with page as materialized (
      select id, attachment_id, attempt, at < ${cutoff(hours)} as is_old from transitions
      where "to" in (${stateLiterals(unfinishedEnds)}) and id > ${after.id} order by id limit ${limit}
    ), gone as (
      delete from transitions t using page, attachments a
      where page.is_old and a.id = page.attachment_id and a.attempt > page.attempt
        and t.attachment_id = page.attachment_id and t.attempt = page.attempt and t."from" is not null
    )
    select count(*)::int as looked, max(id) as last, bool_and(is_old) as "isOld" from page`)
  const hasMore = row?.looked === limit && row.isOld === true
  return { next: hasMore ? { at: beginning.at, id: Number(row.last) } : undefined }
}

/**
 * Removes sessions that ended more than `hours` ago by themselves. Of an array Postgres looks up each id; of an `in` it may read
 * the table instead.
 * @returns how many, at most `limit`
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
 * Removes sessions of the tokens that ended first, more than `hours` ago, then those of these tokens that have none left.
 * @returns how many sessions or tokens, whichever are more, at most `limit`
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

/** Removes all scrubs but the latest. @returns how many, at most `limit` */
export async function expireScrubs(db: Database, kept: number, limit: number): Promise<number> {
  const rows = await db.execute(sql`
    delete from scrubs where id in (select id from scrubs order by id desc offset ${kept} limit ${limit}) returning id`)
  return rows.length
}
