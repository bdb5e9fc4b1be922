import { type SQL, sql } from 'drizzle-orm'
import { StowageError } from '../errors.ts'
import type { Database } from './client.ts'

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

/** The condition that a credential has not ended; true without a credential. */
export function isLive(credential: Credential | undefined): SQL {
  if (credential === undefined) return sql`true`
  const token = (isKept: SQL) =>
    sql`${isKept} and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())`
  if (credential.kind === 'token')
    return sql`exists (select from tokens t where ${token(sql`t.id = ${credential.id}`)})`
  return sql`exists (
    select from sessions s left join tokens t on t.id = s.token_id
    where s.id = ${credential.id} and s.revoked_at is null and s.expires_at > now()
      and (s.token_id is null or (${token(sql`true`)}))
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
