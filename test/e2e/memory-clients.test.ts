import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { loadMemory, mostMemory } from '../kit/memory-formula.ts'
import { metric } from '../kit/metric.ts'
import { openUnread } from '../kit/raw-http.ts'
import type { Serving } from '../kit/serving.ts'
import { until } from '../kit/until.ts'
import { peakOf, residentOf, skipWithoutPeaks } from './process-memory.ts'
import { startServingOnS3 } from './serving-on-s3.ts'
import { type WorstClients, worstClients } from './worst-clients.ts'

const megabyte = 1e6

/** Resolves when a process has all that it is going to hold. */
async function settled(serving: Serving): Promise<void> {
  const looks: number[] = []
  await until('memory does not grow', async () => {
    looks.push(await residentOf(serving))
    const [earlier = 0] = looks.slice(-50)
    return looks.length >= 50 && (looks.at(-1) ?? 0) - earlier < megabyte
  })
}

/** All the clients at once, until the server holds what they make it hold. @returns the most it has ever held, in bytes */
async function wave(t: Test, serving: Serving, bytes: string, clients: WorstClients): Promise<number> {
  const { count, drips } = clients
  const sockets = Array.from({ length: count }, () => openUnread(serving.url, bytes))
  const timer = setInterval(() => {
    if (drips) for (const socket of sockets) socket.write('x')
  }, 500)
  try {
    await until('all are held', async () => (await metric(serving, clients.metric)) >= count, 30)
    await settled(serving)
    t.ok((await metric(serving, clients.metric)) >= count, 'all are still held')
    return await peakOf(serving)
  } finally {
    clearInterval(timer)
    for (const socket of sockets) socket.destroy()
    await until('all are gone', async () => (await metric(serving, 'stowage_connections')) === 1)
  }
}

function told(bytes: number): string {
  return `${(bytes / megabyte).toFixed()} MB`
}

/** Waves of clients, until one of them makes the server hold no more than those before. */
const mostWaves = 8

const skip = skipWithoutS3 || skipWithoutPeaks

// A wave takes several seconds, and memory may take several waves to settle.
t.setTimeout(300_000)

for (const clients of worstClients) {
  const what = `${clients.count} ${clients.name}`
  t.test(`${what}, hold no more than the README says, and leave nothing`, { skip }, async (t) => {
    const serving = await startServingOnS3(t, clients.env)
    const bytes = await clients.send({ ...serving })
    const before = await peakOf(serving)
    const peaks = [await wave(t, serving, bytes, clients)]
    const growth = () => (peaks.at(-1) ?? 0) - (peaks.at(-2) ?? before)
    // V8 gives memory back when it needs some. What each wave left for good would come on top in every one of them.
    const leavesNothing = () => peaks.length > 1 && growth() < loadMemory(clients.load) / 8
    while (!leavesNothing() && peaks.length < mostWaves) peaks.push(await wave(t, serving, bytes, clients))
    const most = mostMemory(clients.load)
    const last = peaks.at(-1) ?? 0
    t.comment(`${what}: ${told(before)} before, ${peaks.map(told).join(', ')}; ${told(most)} allowed`)
    t.ok(last <= most, `${told(last)} of ${told(most)}`)
    t.ok(leavesNothing(), `${told(growth())} more by the last ones`)
  })
}
