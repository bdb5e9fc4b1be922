import { Type } from 'typebox'
import { StowageError } from '#domain/errors.ts'
import { firstInternalId } from '#persistence/schema.ts'

/** An integer id of the chat backend's own, in a body. */
export const BackendId = Type.Integer({ minimum: 1, maximum: firstInternalId - 1 })

/** One in an address that creates what it names. @throws StowageError `invalid` */
export function backendId(text: string, name: string): number {
  const id = Number(text)
  if (!/^[1-9]\d{0,15}$/.test(text) || id >= firstInternalId)
    throw new StowageError('invalid', `${name} must be a whole number from 1 to ${firstInternalId - 1}.`)
  return id
}
