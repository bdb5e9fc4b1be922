import { settlesWithin } from '#async/timeout.ts'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'

/** The bytes are stored, and the database has not recorded it in time. The server goes on trying. */
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
 * The result of `work`, or an answer in time for the client, while `work` goes on without it.
 * @param stored resolves when the last byte is stored: from then on only the database is waited for
 * @throws what `work` throws; PublishUndecided when it takes longer than `limits.publish`
 */
export function answerInTime<T>(work: Promise<T>, stored: Promise<void>): Promise<T> {
  const decided = stored.then(async () => {
    if (await settlesWithin(limits.publish, work)) return await work
    throw new PublishUndecided()
  })
  return Promise.race([work, decided])
}
