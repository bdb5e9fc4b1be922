/** Pipes a GetObject signed by hand into the answer. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { answer } from './answer.ts'
import { openSigned } from './signed-request.ts'

answer(async ({ url = '' }, response) => {
  const get = openSigned('GET', url.slice(1))
  const responding = once(get, 'response') as Promise<[IncomingMessage]>
  get.end()
  const [object] = await responding
  if (object.statusCode !== 200) throw new Error(`The store answered ${object.statusCode}`)
  const size = object.headers['content-length']
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size })
  await pipeline(object, response)
  return undefined
})
