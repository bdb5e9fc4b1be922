import { StowageError } from '#domain/errors.ts'
import { isPublicId } from '#domain/ids.ts'

/**
 * An integer id of an address. One that is no id (negative, zero, too large, no number) names nothing.
 * @throws StowageError `not_found`, saying so of `what`
 */
export function integerId(text: string, what: string): number {
  const id = Number(text)
  if (!/^[1-9]\d{0,15}$/.test(text) || !Number.isSafeInteger(id))
    throw new StowageError('not_found', `${what} not found`)
  return id
}

/** A string id of an address. @throws StowageError `not_found`, saying so of `what` */
export function publicId(text: string, what: string): string {
  if (!isPublicId(text)) throw new StowageError('not_found', `${what} not found`)
  return text
}
