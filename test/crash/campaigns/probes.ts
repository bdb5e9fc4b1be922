import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import type { Replica } from '../cluster/replica.ts'
import type { Violation } from '../workload/journal.ts'

/** Milliseconds in which a request must be answered, whatever the database does: what is promised, and what the machine takes. */
const answerLimit = 20_000 + 2_000

/** Milliseconds in which a replica must say whether it is ready. */
const readyLimit = 5_000 + 1_000

/** Milliseconds in which a replica must work again, once the database does. */
const backLimit = 10_000

const pause = 200

/** Asks every replica, again and again, for something that writes to the database, and whether it is ready. */
export class Probes {
  readonly violations: Violation[] = []
  /** The replicas that have answered 503 to a write, and those that have said that they are not ready. */
  readonly refused = new Set<Replica>()
  readonly unready = new Set<Replica>()
  /** Milliseconds that the slowest answer to a write took. */
  slowest = 0
  readonly #cluster: Cluster
  readonly #asking: Promise<unknown>
  #isOver = false

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    const loops = cluster.replicas.flatMap((replica) => [
      this.#repeat(() => this.#write(replica)),
      this.#repeat(() => this.#ready(replica)),
    ])
    this.#asking = Promise.all(loops)
  }

  /** Whether every replica has refused a write and said that it is not ready. */
  get haveSeenIt(): boolean {
    const all = this.#cluster.replicas.length
    return this.refused.size === all && this.unready.size === all
  }

  /** Resolves when what was asked is answered. */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#asking
  }

  async #repeat(ask: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      await ask()
      await delay(pause)
    }
  }

  async #write(replica: Replica): Promise<void> {
    const { status, milliseconds } = await write(this.#cluster, replica, answerLimit)
    this.slowest = Math.max(this.slowest, milliseconds)
    if (status === 503) this.refused.add(replica)
    else if (status !== 200) this.#tell(replica, `a write was answered ${status} after ${milliseconds} ms`)
  }

  async #ready(replica: Replica): Promise<void> {
    const { status, milliseconds } = await ask(`${replica.url}/readyz`, {}, readyLimit)
    if (status === 503) this.unready.add(replica)
    else if (status !== 200) this.#tell(replica, `/readyz was answered ${status} after ${milliseconds} ms`)
  }

  #tell({ name }: Replica, what: string): void {
    this.violations.push({ kind: 'wrong', text: `${name}: ${what}` })
  }
}

/** Waits until every replica writes and is ready. @returns the milliseconds that took, and which took longer than they may */
export async function awaitBack(cluster: Cluster): Promise<{ milliseconds: number; violations: Violation[] }> {
  const startedAt = performance.now()
  const since = () => performance.now() - startedAt
  const isBack = async (replica: Replica) => {
    const [written, ready] = await Promise.all([
      write(cluster, replica, backLimit),
      ask(`${replica.url}/readyz`, {}, backLimit),
    ])
    return written.status === 200 && ready.status === 200
  }
  const awaitReplica = async (replica: Replica): Promise<Violation[]> => {
    while (!(await isBack(replica))) {
      if (since() > backLimit)
        return [{ kind: 'wrong', text: `${replica.name} does not work again ${backLimit} ms after the database does` }]
      await delay(pause)
    }
    return []
  }
  const violations = (await Promise.all(cluster.replicas.map(awaitReplica))).flat()
  return { milliseconds: since(), violations }
}

/** Makes a user known who is known already. */
function write({ chat }: Cluster, { url }: Replica, limit: number) {
  const headers = { authorization: chat.authorization }
  return ask(`${url}/v1/users/2`, { method: 'PUT', headers }, limit)
}

/** @returns 0 as the status when there was no answer in time */
async function ask(url: string, init: RequestInit, limit: number): Promise<{ status: number; milliseconds: number }> {
  const startedAt = performance.now()
  const taken = () => Math.round(performance.now() - startedAt)
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(limit) })
    await response.arrayBuffer()
    return { status: response.status, milliseconds: taken() }
  } catch {
    return { status: 0, milliseconds: taken() }
  }
}
