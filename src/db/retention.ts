import { sql } from 'drizzle-orm'
import { statesAwaitingBytes } from '../lifecycle/states.ts'
import { bury } from './attachments.ts'
import type { Database } from './client.ts'
import { quoted } from './quoted.ts'
import { firstOwnId } from './schema.ts'

/**
 * Removes the rows, with their history, of attachments that failed, were reserved and never used, or were deleted more
 * than `hours` ago and of which no object is left to purge. One whose upload begins meanwhile is locked and passed over,
 * or, once it has begun, in another state when its row is read anew for the lock.
 * @returns how many, at most `limit`
 */
export async function forgetEndedAttachments(db: Database, hours: number, limit: number): Promise<number> {
  const rows = await db.execute(sql`
    delete from attachments where id in (
      select a.id from attachments a
      where (a.deleted_at < now() - make_interval(hours => ${hours})
          or (a.deleted_at is null and a.state in (${quoted(statesAwaitingBytes)}) and a.modified_at < now() - make_interval(hours => ${hours})))
        and not exists (select from objects o where o.attachment_id = a.id)
      limit ${limit} for update skip locked
    )
    returning id`)
  return rows.length
}

/**
 * Buries what a deletion in the last `seconds` left that died between hiding a message, room or user and burying their
 * attachments.
 * @returns how many, at most `limit`
 */
export async function buryForsaken(db: Database, seconds: number, limit: number): Promise<number> {
  const recently = sql`now() - make_interval(secs => ${seconds})`
  const rows = await db.execute<{ id: string }>(sql`
    select a.id from messages m join attachments a on a.message_id = m.id
      where m.deleted_at > ${recently} and a.deleted_at is null
    union
    select a.id from rooms r join attachments a on a.room_id = r.id
      where r.deleted_at > ${recently} and a.deleted_at is null
    union
    select a.id from users u join attachments a on a.uploader_id = u.id
      where u.deleted_at > ${recently} and a.deleted_at is null
    limit ${limit}`)
  for (const { id } of rows) await bury(db, { id: Number(id) })
  return rows.length
}

/**
 * Hands to the purge what a deletion in the last `seconds` left that died before it had seen every object of what it buried.
 * @returns how many
 */
export async function purgeForsaken(db: Database, seconds: number): Promise<number> {
  const rows = await db.execute(sql`
    update objects o set purge_at = now() from attachments a
    where o.attachment_id = a.id and a.deleted_at > now() - make_interval(secs => ${seconds}) and o.purge_at is null
    returning o.key`)
  return rows.length
}

/** Removes messages that Stowage made itself more than `hours` ago and that hold no attachment. */
export async function forgetEmptyOwnMessages(db: Database, hours: number, limit: number): Promise<void> {
  await db.execute(sql`
    delete from messages where id in (
      select m.id from messages m
      where m.id >= ${firstOwnId} and m.created_at < now() - make_interval(hours => ${hours})
        and not exists (select from attachments a where a.message_id = m.id)
      limit ${limit} for update skip locked
    )`)
}
