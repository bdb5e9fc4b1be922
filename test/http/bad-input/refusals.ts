import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import type { RawBody } from '../../kit/multipart.ts'
import { postRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { type Surface, surfaces } from '../../kit/surfaces.ts'
import { type FailedRow, leftOnly, newestId, takesUploads } from './remains.ts'

/** A request that is refused, and how. */
export interface Refusal {
  what: string
  request(surface: Surface): RawBody
  status: number
  /** In what the client is told. */
  text: RegExp
  /** The rows that are left; of a request that is refused before its first file began to arrive, there are none. */
  leaves?: FailedRow[]
}

/**
 * Sends each request to both APIs, on both stores, and asserts answer and remains. The server takes one upload at a time,
 * so a slot that is not given back fails whatever comes next.
 */
export function testRefusals(refusals: Refusal[], env: Record<string, string> = {}): void {
  for (const store of ['s3', 'disk'] as const) {
    t.test(`on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
      const server = await startTestServer(t, { store, env: { MAX_CONCURRENT_UPLOADS: '1', ...env } })
      for (const surface of surfaces) {
        for (const refusal of refusals)
          await t.test(`${surface.name}: ${refusal.what}`, (t) => isRefused(t, server, surface, refusal))
        await takesUploads(t, server, surface)
      }
    })
  }
}

export async function isRefused(t: Test, server: TestServer, surface: Surface, refusal: Refusal): Promise<void> {
  const before = await newestId(server)
  const { headers, body } = refusal.request(surface)
  const credentials = await surface.credentials(server, 1)
  const answer = await postRaw(server.url, surface.path, { headers: { ...credentials, ...headers }, body })
  surface.isError(t, answer, refusal.status, refusal.text)
  await leftOnly(t, server, before, refusal.leaves ?? [])
}
