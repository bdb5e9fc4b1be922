/** Reads a raw body and hashes it. */
import { createHash } from 'node:crypto'
import { finished } from 'node:stream/promises'
import { answer } from './answer.ts'

answer(async (request) => {
  const digest = createHash('sha256')
  request.on('data', (chunk: Buffer) => digest.update(chunk))
  await finished(request)
  return { sha256: digest.digest('hex') }
})
