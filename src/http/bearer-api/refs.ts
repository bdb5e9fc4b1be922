import type { Ref } from '#auth/permissions.ts'
import { integerId, publicId } from '#http/ids.ts'

/**
 * A conversation or message by either of its ids: the string of seed 001, or the chat backend's own integer.
 * @throws StowageError `not_found`, saying so of `what`
 */
export function refFrom(text: string, what: string): Ref {
  return /^\d+$/.test(text) ? { id: integerId(text, what) } : { publicId: publicId(text, what) }
}
