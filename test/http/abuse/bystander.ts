import type { Test } from 'tap'
import { request } from '../../kit/http-client.ts'
import { fieldPart, filePart, formOf } from '../../kit/multipart.ts'
import type { TestServer } from '../../kit/server.ts'
import { cookieApi } from '../../kit/surfaces.ts'

/** Longest that somebody else's request may take while a replica is under attack, in milliseconds. */
const patience = 700
const file = Buffer.alloc(64 * 1024, 'x')

/** A user of the replica who does nobody harm. */
export interface Bystander {
  /** Asserts that whatever they do is answered in time, while something goes on. */
  isServed(t: Test, what: string): Promise<void>
}

/** User 3, with a file in room 1. */
export async function startBystander(server: TestServer): Promise<Bystander> {
  // So that no connection of theirs is left in the end.
  const headers = { ...(await server.cookie(3)), connection: 'close' }
  const upload = () => {
    const form = formOf(fieldPart('fileSize', String(file.length)), filePart(cookieApi, file, 'mine.bin'))
    const outgoing = { headers: { ...headers, ...form.headers }, body: new Uint8Array(form.body) }
    return request(server.url, 'POST', cookieApi.path, outgoing)
  }
  const { attachmentIds } = (await (await upload()).json()) as { attachmentIds: number[] }
  const address = `${server.url}/api/v1/attachments/${attachmentIds[0]}`
  const requests: [what: string, send: () => Promise<Response>][] = [
    ['/livez', () => fetch(`${server.url}/livez`, { headers })],
    ['metadata', () => fetch(address, { headers })],
    ['an upload of 64 KiB', upload],
    ['a download of 64 KiB', () => fetch(`${address}/mine.bin`, { headers })],
  ]
  return {
    async isServed(t, what) {
      for (const [request, send] of requests) {
        const took = [await timed(t, send), await timed(t, send), await timed(t, send)]
        // What else runs on the machine delays one of them now and then.
        const [, middle = 0] = took.sort((a, b) => a - b)
        t.ok(middle < patience, `${what}: ${request} took ${middle.toFixed()} ms`)
      }
    },
  }
}

/** Milliseconds up to the last byte of an answer, which must be one of success. */
async function timed(t: Test, send: () => Promise<Response>): Promise<number> {
  const askedAt = performance.now()
  const response = await send()
  await response.arrayBuffer()
  t.equal(response.status, 200)
  return performance.now() - askedAt
}
