import { StowageError } from '#domain/errors.ts'

/** The store failed while storing. */
export function putFailed(cause: unknown): StowageError {
  if (fullDisk.has((cause as NodeJS.ErrnoException).code ?? '')) return storeFull(cause)
  const message = 'The object store does not answer as it should; nothing was stored. Try again in a moment.'
  return new StowageError('storage_unavailable', message, { cause })
}

/** The codes of a disk without room. */
const fullDisk = new Set(['ENOSPC', 'EDQUOT'])

/** The store has no room. */
export function storeFull(cause: unknown): StowageError {
  const message = 'The object store has no space left; nothing was stored. Tell the operator, and try again later.'
  return new StowageError('storage_unavailable', message, { cause })
}

/** The store failed at anything else. */
export function storeUnavailable(cause: unknown): StowageError {
  const message = 'The object store does not answer as it should. Try again in a moment.'
  return new StowageError('storage_unavailable', message, { cause })
}

/** There is no such object. */
export function objectNotFound(cause: unknown): StowageError {
  return new StowageError('not_found', 'There is no such file.', { cause })
}

/** The store does not let itself be listed. @param permission that S3 wants for it */
export function listingDenied(permission: string, cause: unknown): StowageError {
  return new StowageError('forbidden', `The object store does not let this be listed: allow ${permission}.`, { cause })
}
