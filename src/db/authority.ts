import { type SQL, sql } from 'drizzle-orm'
import { StowageError } from '../errors.ts'
import type { Database } from './client.ts'
import { sessions, tokens } from './schema.ts'

/** The row of the token or session that a request came with. */
export interface Credential {
  kind: 'token' | 'session'
  id: number
}

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
export class PlaceLost extends StowageError {
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

/** The condition that a credential has not ended; true without a credential. */
export function isLive(credential: Credential | undefined): SQL {
  if (credential === undefined) return sql`true`
  const { kind, id } = credential
  if (kind === 'token') return sql`exists (select from tokens where id = ${id} and ${isLiveToken})`
  return sql`exists (
    select from sessions left join tokens on tokens.id = sessions.token_id
    where sessions.id = ${id} and ${isLiveSession} and ${isLiveToken}
  )`
}

/** The condition on an attachment `a` that its uploader may still put files into its message. */
export const isInPlace = sql`exists (
  select from messages m join rooms r on r.id = m.room_id join members i on i.room_id = r.id join users u on u.id = i.user_id
  where m.id = a.message_id and i.user_id = a.uploader_id
    and m.deleted_at is null and r.deleted_at is null and u.deleted_at is null
)`

/**
 * The reason why attachments could not become Ready.
 * @returns `undefined` when one of them has left its state, which is the reason then
 */
export async function findRefusal(
  db: Database,
  attempts: readonly { id: number; attempt: number }[],
  from: string,
  credential: Credential | undefined,
): Promise<CredentialEnded | PlaceLost | undefined> {
  const [row] = await db.execute<{ there: number; placed: number; live: boolean }>(sql`
    select count(*)::int as there, count(*) filter (where ${isInPlace})::int as placed, ${isLive(credential)} as live
    from jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb) as w(id bigint, attempt integer)
    join attachments a on a.id = w.id and a.attempt = w.attempt
    where a.state = ${from} and a.deleted_at is null`)
  if (row?.there !== attempts.length) return undefined
  if (!row.live) return new CredentialEnded()
  return row.placed < attempts.length ? new PlaceLost() : undefined
}
