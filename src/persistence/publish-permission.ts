import { type SQL, sql } from 'drizzle-orm'
import { StowageError } from '#domain/errors.ts'
import type { Credential } from '#domain/principal.ts'
import type { Database } from '#persistence/connection/client.ts'
import { sessions, tokens } from './schema.ts'

/** The credential ended after the request began. */
export class CredentialEnded extends StowageError {
  constructor() {
    super('unauthenticated', 'Your credential ended while the file arrived. Get a new one, then send the file again.', {
      reason: 'The credential of the uploader ended while the file arrived.',
    })
    this.name = 'CredentialEnded'
  }
}

/** The uploader lost the destination after the request began: the message, the room or the membership was deleted. */
export class DestinationGone extends StowageError {
  constructor() {
    super('not_found', 'Message not found', { reason: 'The uploader left the room while the file arrived.' })
    this.name = 'DestinationGone'
  }
}

/** The condition that a row of `tokens` has not ended. It is true for the missing row of a left join. */
export const isLiveToken = sql`(
  ${tokens.revokedAt} is null and (${tokens.expiresAt} is null or ${tokens.expiresAt} > now())
)`

/** The condition that a row of `sessions` is not expired or revoked. A session from a token also ends with the token. */
export const isLiveSession = sql`(${sessions.revokedAt} is null and ${sessions.expiresAt} > now())`

/**
 * The CTEs that decide whether attachments may become Ready. `permitted` has the attachments of the CTE `locked` whose
 * uploader may still add files to the message. `live_credential` has one row unless the credential has ended. The rows
 * behind the decision are locked until the end of the transaction. The statement waits for a concurrent revocation or
 * removal and respects it, and a later one waits for the statement. Therefore no attachment becomes Ready after the
 * response to a revocation.
 * @param credential of the request; without one, as for a worker, `live_credential` always has a row
 */
export function publishPermission(credential: Credential | undefined): SQL {
  return sql`
    permitted as (
      select a.id from locked a join users u on u.id = a.uploader_id join messages m on m.id = a.message_id
        join rooms r on r.id = m.room_id cross join lateral (
          select from members where room_id = r.id and user_id = a.uploader_id for key share
        ) membership
      where m.deleted_at is null and r.deleted_at is null and u.deleted_at is null
    ), ${liveCredential(credential)}`
}

/** A session and its token are two CTEs, because the missing row of an outer join cannot be locked. */
function liveCredential(credential: Credential | undefined): SQL {
  if (credential === undefined) return sql`live_credential as (select)`
  const { kind, id } = credential
  if (kind === 'token')
    return sql`live_credential as (
      select from tokens where id = ${id} and ${isLiveToken} for share
    )`
  return sql`live_session as (
      select token_id from sessions where id = ${id} and ${isLiveSession} for share
    ), live_token as (
      select from tokens where id = (select token_id from live_session) and ${isLiveToken} for share
    ), live_credential as (
      select from live_session where token_id is null or exists (select from live_token)
    )`
}

/**
 * The reason why attachments could not become Ready.
 * @returns `undefined` when one of them has left its state, which is then the reason
 */
export async function findRefusal(
  db: Database,
  attempts: readonly { id: number; attempt: number }[],
  from: string,
  credential: Credential | undefined,
): Promise<CredentialEnded | DestinationGone | undefined> {
  const [row] = await db.execute<{ found: number; permitted: number; live: boolean }>(sql`
    with locked as (
      select a.id, a.message_id, a.uploader_id
      from jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb) as w(id bigint, attempt integer)
        join attachments a on a.id = w.id and a.attempt = w.attempt
      where a.state = ${from} and a.deleted_at is null
    ), ${publishPermission(credential)}
    select (select count(*) from locked)::int as found, (select count(*) from permitted)::int as permitted,
      exists (select from live_credential) as live`)
  if (row?.found !== attempts.length) return undefined
  if (!row.live) return new CredentialEnded()
  return row.permitted < attempts.length ? new DestinationGone() : undefined
}
