import type { Answer } from './answer-reader.ts'
import { Connection } from './connection.ts'
import type { Load, Outcome } from './load.ts'
import { requestSender } from './send-request.ts'

/** Sends a load and checks every answer. @throws at the first request that is not answered as it should be */
export async function runLoad(load: Load): Promise<Outcome> {
  const opening = Array.from({ length: Math.min(load.concurrency, load.paths.length) }, () => Connection.open(load.url))
  const connections = await Promise.all(opening)
  try {
    return await sendOver(connections, load)
  } finally {
    for (const connection of connections) connection.close()
  }
}

async function sendOver(connections: Connection[], load: Load): Promise<Outcome> {
  const { paths, download, timeoutSeconds } = load
  const sender = requestSender(load)
  const wants = { sha256: download?.sha256 !== undefined, timeoutSeconds }
  const latencies: number[] = []
  const answers: string[] = []
  const queue = paths.entries()
  const start = performance.now()
  const work = connections.map(async (connection) => {
    for (const [index, path] of queue) {
      const begun = performance.now()
      const answer = await connection.exchange(sender(path), wants)
      latencies[index] = performance.now() - begun
      check(answer, load, path)
      if (download === undefined) answers[index] = answer.text
    }
  })
  await Promise.all(work)
  return { seconds: (performance.now() - start) / 1000, latencies, answers }
}

function check({ status, text, bytes, sha256 }: Answer, { method, download }: Load, path: string): void {
  const request = `${method} ${path}`
  if (status !== 200) throw new Error(`${request} was answered with ${status}: ${text}`)
  if (download === undefined) return
  if (bytes !== download.bytes) throw new Error(`${request} was answered with ${bytes} bytes, not ${download.bytes}`)
  if (download.sha256 !== sha256) throw new Error(`${request} was answered with wrong bytes`)
}
