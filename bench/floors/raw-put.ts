/** Pipes a raw body of known length into one PutObject signed by hand: no hash, no checksum, nothing held. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { answer } from './answer.ts'
import { openSigned } from './signed-request.ts'

answer(async (request) => {
  const put = openSigned('PUT', randomUUID(), { 'content-length': request.headers['content-length'] })
  const responding = once(put, 'response') as Promise<[IncomingMessage]>
  request.pipe(put)
  const [stored] = await responding
  await once(stored.resume(), 'end')
  if (stored.statusCode !== 200) throw new Error(`The store answered ${stored.statusCode}`)
  return {}
})
