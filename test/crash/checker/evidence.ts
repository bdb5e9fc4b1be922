import postgres from 'postgres'
import { busyStates, type Step } from './state-table.ts'

/** An attachment as the database has it. */
export interface Row {
  id: number
  publicId: string
  name: string
  size: number | null
  checksum: string | null
  state: string
  attempt: number
  /** Seconds; negative once it has run out. */
  leaseLeft: number | null
  isDeleted: boolean
  /** Its message, room or uploader is deleted. */
  isHidden: boolean
}

/** A key of the bucket as the database has it. */
export interface Key {
  key: string
  attachmentId: number
  attempt: number
  uploadId: string | null
  isToGo: boolean
  purges: number
}

export interface Move extends Step {
  id: number
  attachmentId: number
  at: string
  actor: string
  reason: string
}

/** What the checker reads from the database, with statements of its own. */
export class Evidence implements AsyncDisposable {
  readonly #sql: postgres.Sql

  constructor(databaseUrl: string) {
    this.#sql = postgres(databaseUrl, { max: 3, onnotice: () => {}, connect_timeout: 5, backoff: () => 0.2 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sql.end({ timeout: 5 })
  }

  async rows(): Promise<Row[]> {
    return await this.#sql<Row[]>`
      select a.id::float8 as id, a.public_id as "publicId", a.file_name as name, a.file_size::float8 as size,
        a.file_checksum as checksum, a.state, a.attempt, a.deleted_at is not null as "isDeleted",
        extract(epoch from a.lease_expires_at - now())::float8 as "leaseLeft",
        (m.deleted_at is not null or r.deleted_at is not null or u.deleted_at is not null) as "isHidden"
      from attachments a join messages m on m.id = a.message_id join rooms r on r.id = a.room_id
        join users u on u.id = a.uploader_id`
  }

  async keys(): Promise<Key[]> {
    return await this.#sql<Key[]>`
      select key, attachment_id::float8 as "attachmentId", attempt, upload_id as "uploadId",
        purge_at is not null as "isToGo", purges from objects`
  }

  async movesAfter(id: number): Promise<Move[]> {
    return await this.#sql<Move[]>`
      select id::float8 as id, attachment_id::float8 as "attachmentId", attempt, "from", "to", at::text as at, actor, reason
      from transitions where id > ${id} order by id`
  }

  /** What is not at its end yet: rows with a writer, rows that outlive what they belong to, keys that are to be purged. */
  async pending(): Promise<{ busy: number; forsaken: number; unpurged: number }> {
    const [counts] = await this.#sql<[{ busy: number; forsaken: number; unpurged: number }]>`
      select
        (select count(*)::integer from attachments where deleted_at is null and state in ${this.#sql(busyStates)}) as busy,
        (select count(*)::integer from attachments a join messages m on m.id = a.message_id join rooms r on r.id = a.room_id
          join users u on u.id = a.uploader_id where a.deleted_at is null
          and (m.deleted_at is not null or r.deleted_at is not null or u.deleted_at is not null)) as forsaken,
        (select count(*)::integer from objects o left join attachments a on a.id = o.attachment_id
          where o.purges = 0 and (a.id is null or a.deleted_at is not null or a.attempt <> o.attempt
            or a.state <> 'ReadyForDownloadFromServerToClient')) as unpurged`
    return counts
  }
}
