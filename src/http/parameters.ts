import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { StowageError } from '#domain/errors.ts'
import { firstInternalId, isPublicId, type Ref } from '#domain/ids.ts'
import { limits } from '#domain/limits.ts'

// Every string that a route takes has one of these types: a longer one is refused before anything reads it.

/** A part of an address. The router takes none that is longer and answers 404, as for every address without a route. */
export const PathPart = Type.String({ maxLength: limits.pathPart })

/** A value in a query. Only the limit of the address bounds it: an id that names nothing is 404, however long. */
export const QueryText = Type.String({ maxLength: limits.address })

/** A file name as a client sends it. `fileNameFrom` decides whether it can be one. */
export const SentFileName = Type.String({ maxLength: limits.sentFileName })

/** A media type that a client claims. */
export const ClaimedType = Type.String({ maxLength: limits.contentType })

/** Any other text. */
export function text(options: { description?: string } = {}) {
  return Type.String({ ...options, maxLength: limits.text })
}

/** An integer id of the chat backend's, in a body. */
export const BackendId = Type.Integer({ minimum: 1, maximum: firstInternalId - 1 })

/**
 * An integer id in an address. A text that is no id (negative, zero, too large, no number) names nothing.
 * @param subject of the error, such as `Attachment`
 * @throws StowageError `not_found`
 */
export function integerId(text: string, subject: string): number {
  const id = Number(text)
  if (!/^[1-9]\d{0,15}$/.test(text) || !Number.isSafeInteger(id))
    throw new StowageError('not_found', `${subject} not found`)
  return id
}

/** A string id in an address. @param subject of the error @throws StowageError `not_found` */
export function publicId(text: string, subject: string): string {
  if (!isPublicId(text)) throw new StowageError('not_found', `${subject} not found`)
  return text
}

/**
 * A conversation or message by either of its ids: the string of seed 001, or the chat backend's integer.
 * @param subject of the error
 * @throws StowageError `not_found`
 */
export function refFrom(text: string, subject: string): Ref {
  return /^\d+$/.test(text) ? { id: integerId(text, subject) } : { publicId: publicId(text, subject) }
}

/** An integer id of the chat backend's, in an address that creates the room, message or user. @throws StowageError `invalid` */
export function backendId(text: string, name: string): number {
  const id = Number(text)
  if (!/^[1-9]\d{0,15}$/.test(text) || id >= firstInternalId)
    throw new StowageError('invalid', `${name} must be a whole number from 1 to ${firstInternalId - 1}.`)
  return id
}

/** Reads a number in a query. @throws StowageError `invalid` that names it */
export function wholeNumber(name: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (!/^\d{1,16}$/.test(text) || number < least || number > most)
    throw new StowageError('invalid', `${name} must be a whole number from ${least} to ${most}.`)
  return number
}

/** A `preValidation` for requests whose attributes are all optional: a missing body counts as an empty one. */
export async function takeMissingBodyAsEmpty(request: FastifyRequest): Promise<void> {
  if (request.body === undefined) request.body = {}
}
