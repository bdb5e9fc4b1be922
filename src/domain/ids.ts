import { randomBytes } from 'node:crypto'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/**
 * A string id as the bearer API shows it (seed 001): 16 characters of a–z, A–Z and 0–9, 95 random bits. One at least is
 * a letter, so that it is never mistaken for an integer id.
 */
export function newPublicId(): string {
  let id = ''
  while (id.length < 16) {
    // Bytes from 248 up would favour the first letters: 248 is the largest multiple of 62 below 256.
    for (const byte of randomBytes(24)) if (byte < 248 && id.length < 16) id += alphabet[byte % 62]
  }
  return /^\d+$/.test(id) ? newPublicId() : id
}

export function isPublicId(text: string): boolean {
  return /^[A-Za-z0-9]{16}$/.test(text) && !/^\d+$/.test(text)
}

/** The chat backend's own integer ids end below this. Rooms and messages that Stowage makes itself begin here. */
export const firstInternalId = 2 ** 52

/** A room, message or attachment by its integer id (cookie API) or its string id (bearer API). */
export type Ref = { id: number } | { publicId: string }
