import { randomBytes } from 'node:crypto'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/**
 * A string id of the bearer API (seed 001): 16 characters of a–z, A–Z and 0–9, 95 random bits. At least one character is
 * a letter, so the id cannot be mistaken for an integer id.
 */
export function newPublicId(): string {
  let id = ''
  while (id.length < 16) {
    // 248 is the largest multiple of 62 below 256. Bytes from 248 up would favour the first letters.
    for (const byte of randomBytes(24)) if (byte < 248 && id.length < 16) id += alphabet[byte % 62]
  }
  return /^\d+$/.test(id) ? newPublicId() : id
}

export function isPublicId(text: string): boolean {
  return /^[A-Za-z0-9]{16}$/.test(text) && !/^\d+$/.test(text)
}

/** The lowest id of the rooms and messages that Stowage makes itself. The chat backend's integer ids are below it. */
export const firstInternalId = 2 ** 52

/** A reference to a room, message or attachment: its integer id (cookie API) or its string id (bearer API). */
export type Ref = { id: number } | { publicId: string }
