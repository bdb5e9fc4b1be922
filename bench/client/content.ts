import { createCipheriv, createHash } from 'node:crypto'

const blockSize = 2 ** 20

/** Every file is this block, which looks random, over and over: cheap to send, and the same in every process. */
const block = createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(Buffer.alloc(blockSize))

/** The bytes of a file from `start` to `end`, without copies. */
export function contentBetween(start: number, end: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = start; at < end; ) {
    const from = at % blockSize
    const piece = block.subarray(from, Math.min(blockSize, from + end - at))
    pieces.push(piece)
    at += piece.length
  }
  return pieces
}

/** The sha256 of a file of so many bytes, in hex. */
export function contentSha256(bytes: number): string {
  const digest = createHash('sha256')
  for (const piece of contentBetween(0, bytes)) digest.update(piece)
  return digest.digest('hex')
}
