import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { StowageError } from '#domain/errors.ts'
import { firstInternalId, isPublicId, type Ref } from '#domain/ids.ts'
import { limits } from '#domain/limits.ts'

// Every string parameter of a route has one of these types, so that a string over its limit is refused before any code reads it.

/** A segment of a path. The router responds to a longer one with 404, as to every path without a route. */
export const PathPart = Type.String({ maxLength: limits.pathPart })

/** A value in a query. Only the limit of the URL bounds it, so that an unknown id is 404 at any length. */
export const QueryText = Type.String({ maxLength: limits.address })

/** A file name as the client sent it. `fileNameFrom` validates it. */
export const SentFileName = Type.String({ maxLength: limits.sentFileName })

/** A media type that the client claims. */
export const ClaimedType = Type.String({ maxLength: limits.contentType })

/** A text without a type of its own. */
export function text(options: { description?: string } = {}) {
  return Type.String({ ...options, maxLength: limits.text })
}

/** An integer id of the chat backend, in a body. */
export const BackendId = Type.Integer({ minimum: 1, maximum: firstInternalId - 1 })

/**
 * Parses an integer id in a path. A text that is no id (negative, zero, too large, not a number) is treated as an unknown id.
 * @param subject the error's subject, such as `Attachment`
 * @throws StowageError `not_found`
 */
export function integerId(text: string, subject: string): number {
  const id = Number(text)
  if (!/^[1-9]\d{0,15}$/.test(text) || !Number.isSafeInteger(id))
    throw new StowageError('not_found', `${subject} not found`)
  return id
}

/**
 * Checks a string id in a path.
 * @param subject the error's subject
 * @throws StowageError `not_found`
 */
export function publicId(text: string, subject: string): string {
  if (!isPublicId(text)) throw new StowageError('not_found', `${subject} not found`)
  return text
}

/**
 * Parses the id of a conversation or message, which is either the string of seed 001 or the chat backend's integer.
 * @param subject the error's subject
 * @throws StowageError `not_found`
 */
export function refFrom(text: string, subject: string): Ref {
  return /^\d+$/.test(text) ? { id: integerId(text, subject) } : { publicId: publicId(text, subject) }
}

/**
 * Parses an integer id of the chat backend in a path that creates the room, message or user.
 * @throws StowageError `invalid`
 */
export function backendId(text: string, name: string): number {
  const id = Number(text)
  if (!/^[1-9]\d{0,15}$/.test(text) || id >= firstInternalId)
    throw new StowageError('invalid', `${name} must be a whole number from 1 to ${firstInternalId - 1}.`)
  return id
}

/**
 * Parses a number in a query.
 * @throws StowageError `invalid`, which names the parameter
 */
export function wholeNumber(name: string, text: string, min: number, max: number): number {
  const number = Number(text)
  if (!/^\d{1,16}$/.test(text) || number < min || number > max)
    throw new StowageError('invalid', `${name} must be a whole number from ${min} to ${max}.`)
  return number
}

/** A `preValidation` hook for requests whose attributes are all optional. A missing body counts as an empty object. */
export async function takeMissingBodyAsEmpty(request: FastifyRequest): Promise<void> {
  if (request.body === undefined) request.body = {}
}
