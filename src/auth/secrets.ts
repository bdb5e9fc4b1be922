import { createHash, randomBytes } from 'node:crypto'

/** 256 random bits, in base64url: a session or a token as its owner holds it. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What the database keeps of a secret: its sha256, in hex. 256 random bits need no salt and no slow hash. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
