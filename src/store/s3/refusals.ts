import { StowageError } from '#domain/errors.ts'
import { storeFull } from '#store/errors.ts'
import { adviceForLog } from './advice.ts'
import { statusOf } from './errors.ts'
import { saysDiskFull } from './full-disk.ts'

/** Refusals that pass: too many requests, two at once for one key, an answer that took too long. */
const passing = new Set([408, 409, 423, 425, 429])

/** The codes of a store without room. */
const full = new Set(['XMinioStorageFull', 'InsufficientStorage', 'QuotaExceeded', 'XMinioAdminBucketQuotaExceeded'])

/**
 * The error for a refusal that would come again; `undefined` for every other failure. The client hears that trying again does
 * not help. The log gets the store's own code, and what an operator can do about it where that is known.
 */
export function refusal(error: unknown): StowageError | undefined {
  const status = statusOf(error)
  if (status === undefined) return undefined
  const { name, message } = error as Error
  if (status === 507 || full.has(name) || saysDiskFull(message)) return storeFull(error)
  if ((status < 400 || status >= 500 || passing.has(status)) && status !== 501) return undefined
  const told =
    name === 'EntityTooLarge'
      ? 'The object store does not take a file of this size. Send a smaller one, or tell the operator.'
      : 'The object store refuses this, and would again. Tell the operator: the log of the server says why.'
  const cause = new Error(`The store answers ${status} ${name}: ${message}. ${adviceForLog(error) ?? ''}`.trim(), {
    cause: error,
  })
  return new StowageError('storage_unavailable', told, { cause: Object.assign(cause, { name }) })
}
