import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Session } from '../kit/cookie-api.ts'

/** A user at a server. */
export interface Caller {
  url: string
  cookie: string
}

/** How one request of the load ended. */
export interface Outcome {
  /** `undefined` when the answer broke off after it had begun. */
  status: number | undefined
  /** Until the end of the answer. */
  seconds: number
  /** When it was sent, in milliseconds of `performance.now()`. */
  sentAt: number
}

/** One kind of request, sent again and again. */
export interface Errand {
  name: string
  outcomes: Outcome[]
}

/** What a client that was told so may rely on. */
export interface Acknowledged {
  /** The bytes of every file that was acknowledged and is not being deleted, by id. */
  kept: Map<number, Buffer>
  /** Files whose deletion was acknowledged. */
  gone: Set<number>
}

export interface Load extends Acknowledged {
  errands: Errand[]
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>
}

const fileName = 'load.bin'
/** Milliseconds between two errands of a kind: what is looked for is what becomes of them, not how many there can be. */
const pause = 500

/** Bytes: two parts, and more than is collected before it is sent. */
const [large, streamed] = [5.5 * 2 ** 20, 300_000]

/** Starts uploads of every way, downloads, ranges and deletions by one caller: all kinds at once, each kind one after another. */
export function startLoad(caller: Caller): Load {
  const load: Acknowledged = { kept: new Map(), gone: new Set() }
  let isStopped = false
  const errands: Errand[] = []
  const runs: Promise<void>[] = []
  for (const [name, send] of Object.entries(kindsOf(caller, load))) {
    const errand: Errand = { name, outcomes: [] }
    errands.push(errand)
    const run = async () => {
      while (!isStopped) {
        const sentAt = performance.now()
        const status = await send().catch(() => undefined)
        if (status !== 0) errand.outcomes.push({ status, sentAt, seconds: (performance.now() - sentAt) / 1000 })
        await delay(pause)
      }
    }
    runs.push(run())
  }
  return {
    ...load,
    errands,
    async stop() {
      isStopped = true
      await Promise.all(runs)
    },
  }
}

/** Each sends one request and resolves with its status, or with 0 when there was nothing to do. */
function kindsOf(caller: Caller, { kept, gone }: Acknowledged): Record<string, () => Promise<number>> {
  const own: number[] = []
  const keep = (id: number | undefined, bytes: Buffer) => {
    if (id === undefined) throw new Error('A file was acknowledged without an id')
    kept.set(id, bytes)
    own.push(id)
  }
  const session = new Session(caller.url, { cookie: caller.cookie })
  const post = async (bytes: Buffer, fields: [name: string, value: string][]) => {
    const response = await session.post([new File([new Uint8Array(bytes)], fileName)], fields)
    const answer = (await response.json()) as { attachmentIds?: number[] }
    if (response.status === 200) keep(answer.attachmentIds?.[0], bytes)
    return response.status
  }
  const read = async (headers: Record<string, string>, first: number, last?: number) => {
    const [id, bytes] = [...kept].at(-1) ?? []
    if (id === undefined || bytes === undefined) return 0
    const response = await session.download(id, fileName, headers)
    const body = Buffer.from(await response.arrayBuffer())
    const isRight = body.equals(bytes.subarray(first, last))
    if (response.ok && !isRight) throw new Error(`Other bytes came: ${response.status}`)
    return response.status
  }
  return {
    'small form': () => post(randomBytes(10_000), []),
    'form of several parts': () => post(randomBytes(large), []),
    'form that declares its size': () => post(randomBytes(streamed), [['fileSize', String(streamed)]]),
    put: async () => {
      const bytes = randomBytes(streamed)
      const id = await session.reserve({ fileName, fileSize: bytes.length })
      const response = await session.put(id, fileName, bytes)
      await response.arrayBuffer()
      if (response.status === 200) keep(id, bytes)
      return response.status
    },
    download: () => read({}, 0),
    range: () => read({ range: 'bytes=100-199' }, 100, 200),
    deletion: async () => {
      const id = own.length > 3 ? own.shift() : undefined
      if (id === undefined) return 0
      kept.delete(id)
      const { status } = await session.ask('DELETE', `/attachments/${id}`)
      if (status === 200) gone.add(id)
      return status
    },
  }
}

/** Where a file of the load is read and written. */
export function addressOf({ url }: Pick<Caller, 'url'>, id: number): string {
  return `${url}/api/v1/attachments/${id}/${fileName}`
}
