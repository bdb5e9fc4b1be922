import { StowageError } from '#domain/errors.ts'

/** The store failed while it stored bytes. */
export function putFailed(cause: unknown): StowageError {
  if (diskFullCodes.has((cause as NodeJS.ErrnoException).code ?? '')) return storeFull(cause)
  const message = 'The object store does not answer as it should; nothing was stored. Try again in a moment.'
  return new StowageError('storage_unavailable', message, { cause })
}

/** Node's codes for a disk without room. */
const diskFullCodes = new Set(['ENOSPC', 'EDQUOT'])

/** The store has no room. */
export function storeFull(cause: unknown): StowageError {
  const message = 'The object store has no space left; nothing was stored. Tell the operator, and try again later.'
  return new StowageError('storage_unavailable', message, { cause })
}

/** The store failed during any other operation. */
export function storeUnavailable(cause: unknown): StowageError {
  const message = 'The object store does not answer as it should. Try again in a moment.'
  return new StowageError('storage_unavailable', message, { cause })
}

/** There is no such object. */
export function objectNotFound(cause: unknown): StowageError {
  return new StowageError('not_found', 'There is no such file.', { cause })
}

/** There is no such multipart session, or no longer. */
export function sessionNotFound(cause?: unknown): StowageError {
  return new StowageError('not_found', 'There is no such upload.', { cause })
}

/** The store does not allow a listing. @param permission the S3 action that allows it */
export function listingDenied(permission: string, cause: unknown): StowageError {
  return new StowageError('forbidden', `The object store does not let this be listed: allow ${permission}.`, { cause })
}

/** The length of a body differs from the one its caller announced. @param actual bytes, at least */
export function sizeDiffers(actual: number, announced: number): StowageError {
  return new StowageError('internal', `The body has ${actual} bytes or more, not ${announced} as announced`)
}

/** A caller has broken a rule of multipart uploads. */
export function partRuleBroken(rule: string): StowageError {
  return new StowageError('internal', rule)
}
