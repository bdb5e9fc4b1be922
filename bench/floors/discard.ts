/** Reads a raw body and throws it away: what receiving costs. */
import { finished } from 'node:stream/promises'
import { answer } from './answer.ts'

answer(async (request) => {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  await finished(request)
  return { bytes }
})
