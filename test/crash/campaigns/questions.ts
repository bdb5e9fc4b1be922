import { SeededRandom } from '../../kit/seeded-random.ts'
import { makeClient } from '../workload/client.ts'
import { bytesOf } from '../workload/content.ts'
import { nameOf, type SentFile, type SentGroup } from '../workload/journal.ts'
import { sendForm } from '../workload/upload-form.ts'
import type { Question } from './probes.ts'
import type { Stage } from './stage.ts'

/** Milliseconds in which a request must be answered, whatever database and store do. */
const answerLimit = 20_000 + 2_000

/** Milliseconds in which a replica must say whether it is ready, and answer what needs nothing that is away. */
const quickLimit = 5_000 + 1_000

/** Bytes: so few that the store answers with all of them at once. */
const size = 100

export const liveness: Question = {
  what: '/livez',
  limit: quickLimit,
  ask: ({ url }, limit) => statusOf(`${url}/livez`, {}, limit),
}

export const readiness: Question = {
  what: '/readyz',
  limit: quickLimit,
  ask: ({ url }, limit) => statusOf(`${url}/readyz`, {}, limit),
}

/** Makes a user known who is known already, which writes to the database alone. */
export function writing({ cluster }: Stage): Question {
  const headers = { authorization: cluster.chat.authorization }
  return {
    what: 'a write',
    limit: answerLimit,
    ask: ({ url }, limit) => statusOf(`${url}/v1/users/2`, { method: 'PUT', headers }, limit),
  }
}

/** The clients of the campaign go on with what has been uploaded so. */
export function uploading(stage: Stage): Question {
  const random = new SeededRandom(stage.random.between(0, 2 ** 31))
  return {
    what: 'an upload',
    limit: answerLimit,
    async ask({ url }, limit) {
      const { status, group } = await upload(stage, { url, random, limit })
      stage.workload.journal.release(group.files)
      return status
    },
  }
}

/** Of a file that nobody else is given: its bytes, and what the database has of it. */
export async function reading(stage: Stage): Promise<{ download: Question; metadata: Question }> {
  const { cluster, random } = stage
  const { status, group } = await upload(stage, { url: cluster.url, random, limit: answerLimit })
  if (status !== 200) throw new Error(`The file to be read was answered ${status}`)
  const [file] = group.files as [SentFile]
  const headers = { cookie: cluster.chat.cookie }
  const path = `/api/v1/attachments/${file.id}`
  const get = (what: string, limit: number, path: string): Question => ({
    what,
    limit,
    ask: ({ url }, limit) => statusOf(url + path, { headers }, limit),
  })
  return {
    download: get('a download', answerLimit, `${path}/${nameOf(file)}`),
    metadata: get('a read of metadata', quickLimit, path),
  }
}

/** @returns the status, 0 without an answer, and the file, still busy */
async function upload(
  { cluster, workload }: Stage,
  { url, random, limit }: { url: string; random: SeededRandom; limit: number },
): Promise<{ status: number; group: SentGroup }> {
  const { journal } = workload
  const seed = random.between(0, 2 ** 31)
  const client = makeClient({ journal, chat: cluster.chat, seed, url: () => url, isLeaving: () => false })
  let status = 0
  const watched: typeof client = {
    ...client,
    async ask(request) {
      const answer = await client.ask({ ...request, patience: limit })
      status = answer?.status ?? 0
      return answer
    },
  }
  const way = 'a form that asks whether uploads are taken'
  const group = await sendForm(watched, { way, contents: [bytesOf(random, size)] })
  return { status, group }
}

/** @returns 0 when there was no whole answer in time */
async function statusOf(url: string, init: RequestInit, limit: number): Promise<number> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(limit) })
    await response.arrayBuffer()
    return response.status
  } catch {
    return 0
  }
}
