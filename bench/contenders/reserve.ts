import type { Fixture } from '../stage.ts'
import type { Amount } from './contender.ts'
import { messageOf } from './fixture.ts'

/** Reservations at a time. */
const concurrency = 16

/** Reserves attachments for raw bodies. @returns the path that each body is put to */
export async function reserve(fixture: Fixture, url: string, { requests, fileBytes }: Amount): Promise<string[]> {
  const paths: string[] = []
  const queue = Array(requests).keys()
  const work = Array.from({ length: concurrency }, async () => {
    for (const index of queue) paths[index] = await reserveOne(fixture, url, messageOf(fixture, index), fileBytes)
  })
  await Promise.all(work)
  return paths
}

async function reserveOne({ cookie }: Fixture, url: string, messageId: number, fileSize: number): Promise<string> {
  const response = await fetch(`${url}/api/v1/attachments`, {
    method: 'POST',
    headers: { cookie, 'content-type': 'application/json' },
    body: JSON.stringify({ messageId, fileName: 'bench.bin', fileSize }),
    signal: AbortSignal.timeout(10_000),
  })
  const text = await response.text()
  if (response.status !== 201) throw new Error(`POST /api/v1/attachments was refused with ${response.status}: ${text}`)
  return `/api/v1/attachments/${JSON.parse(text).attachmentId}/bench.bin`
}
