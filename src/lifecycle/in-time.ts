import { setTimeout as delay } from 'node:timers/promises'
import { StowageError } from '../errors.ts'
import { limits } from '../limits.ts'

/** The bytes are stored, and the database has not taken that down in time. The server goes on trying. */
export class PublishUndecided extends StowageError {
  constructor() {
    super(
      'database_unavailable',
      'The file has arrived, but the database does not answer. The server tries again: read the attachment in a moment, and send it again only if it has failed.',
    )
    this.name = 'PublishUndecided'
  }
}

/**
 * What `work` comes to; or an answer in time for the client, while `work` goes on without it.
 * @param stored resolves when the last byte is stored: from then on only the database is waited for
 * @throws what `work` throws; PublishUndecided when it takes longer than `limits.publish`
 */
export async function inTime<T>(work: Promise<T>, stored: Promise<void>): Promise<T> {
  const answered = new AbortController()
  const late = stored
    .then(() => delay(limits.publish, undefined, { signal: answered.signal, ref: false }))
    .then(() => {
      throw new PublishUndecided()
    })
  late.catch(() => {})
  work.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    answered.abort()
  }
}
