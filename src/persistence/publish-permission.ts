import { type SQL, sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import type { Credential } from '#domain/principal.ts'
import type { Database } from '#persistence/connection/client.ts'
import { sessions, tokens } from './schema.ts'

/** The credential has ended since the request began. */
export class CredentialEnded extends StowageError {
  constructor() {
    super('unauthenticated', 'Your credential ended while the file arrived. Get a new one, then send the file again.', {
      reason: 'The credential of the uploader ended while the file arrived.',
    })
    this.name = 'CredentialEnded'
  }
}

/** The uploader may not put files there any more: the message, the room or their membership has gone since. */
export class DestinationGone extends StowageError {
  constructor() {
    super('not_found', 'Message not found', { reason: 'The uploader left the room while the file arrived.' })
    this.name = 'PlaceLost'
  }
}

/** The condition that a row of `tokens` has not ended; true of the missing row of a left join. */
export const isLiveToken = sql`(
  ${tokens.revokedAt} is null and (${tokens.expiresAt} is null or ${tokens.expiresAt} > now())
)`

/** The condition that a row of `sessions` has not ended by itself. One that came from a token ends with it too. */
export const isLiveSession = sql`(${sessions.revokedAt} is null and ${sessions.expiresAt} > now())`

/**
 * The parts of a statement that decide whether attachments may become Ready: `placed`, those of the part `locked` whose uploader
 * may still put files into their message, and `vouched`, one row unless the credential has ended. The rows that
 * say so are locked to the end of the transaction: a revocation or removal that is under way is waited for and counts, and a later
 * one waits. So nothing becomes Ready after a revocation is answered.
 * @param credential of the request; a worker has none, and `vouched` has its row then
 */
export function publishPermission(credential: Credential | undefined): SQL {
  return sql`
    placed as (
      select a.id from locked a join users u on u.id = a.uploader_id join messages m on m.id = a.message_id
        join rooms r on r.id = m.room_id cross join lateral (
          select from members where room_id = r.id and user_id = a.uploader_id for key share
        ) membership
      where m.deleted_at is null and r.deleted_at is null and u.deleted_at is null
    ), ${vouched(credential)}`
}

/** A session and its token are two parts, because the missing row of an outer join cannot be locked. */
function vouched(credential: Credential | undefined): SQL {
  if (credential === undefined) return sql`vouched as (select)`
  const { kind, id } = credential
  if (kind === 'token')
    return sql`vouched as (
      select from tokens where id = ${id} and ${isLiveToken} for share
    )`
  return sql`live_session as (
      select token_id from sessions where id = ${id} and ${isLiveSession} for share
    ), live_token as (
      select from tokens where id = (select token_id from live_session) and ${isLiveToken} for share
    ), vouched as (
      select from live_session where token_id is null or exists (select from live_token)
    )`
}

/**
 * The reason why attachments could not become Ready.
 * @returns `undefined` when one of them has left its state, which is the reason then
 */
export async function findRefusal(
  db: Database,
  attempts: readonly { id: number; attempt: number }[],
  from: string,
  credential: Credential | undefined,
): Promise<CredentialEnded | DestinationGone | undefined> {
  const [row] = await db.execute<{ there: number; placed: number; live: boolean }>(sql`
    with locked as (
      select a.id, a.message_id, a.uploader_id
      from jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb) as w(id bigint, attempt integer)
        join attachments a on a.id = w.id and a.attempt = w.attempt
      where a.state = ${from} and a.deleted_at is null
    ), ${publishPermission(credential)}
    select (select count(*) from locked)::int as there, (select count(*) from placed)::int as placed,
      exists (select from vouched) as live`)
  if (row?.there !== attempts.length) return undefined
  if (!row.live) return new CredentialEnded()
  return row.placed < attempts.length ? new DestinationGone() : undefined
}
