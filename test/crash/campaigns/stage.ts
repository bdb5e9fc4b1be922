import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../../kit/seeded-random.ts'
import type { Checker } from '../checker/checker.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Replica } from '../cluster/replica.ts'
import type { Violation } from '../workload/journal.ts'
import type { Workload } from '../workload/workload.ts'

/** What the checker found after a round. */
export class Violated extends Error {
  readonly violations: readonly Violation[]

  constructor(violations: readonly Violation[]) {
    super(`${violations.length} violations`)
    this.violations = violations
  }
}

export interface StageParts {
  cluster: Cluster
  workload: Workload
  checker: Checker
  random: SeededRandom
  signal: AbortSignal
  log: (message: string) => void
}

/** A cluster under load, and what a campaign does to it. */
export class Stage {
  readonly cluster: Cluster
  readonly workload: Workload
  readonly random: SeededRandom
  readonly signal: AbortSignal
  readonly log: (message: string) => void
  kills = 0
  readonly #checker: Checker
  /** The replicas that are being started, or were. */
  readonly #starts = new Map<Replica, Promise<void>>()

  constructor({ cluster, workload, checker, random, signal, log }: StageParts) {
    this.cluster = cluster
    this.workload = workload
    this.random = random
    this.signal = signal
    this.log = log
    this.#checker = checker
  }

  /** Lets things go on for a time of at most `most` milliseconds that nobody chose. */
  async randomMoment(most: number): Promise<void> {
    await delay(this.random.between(0, most), undefined, { signal: this.signal })
  }

  /** A replica that can be killed while another one is there to take over; waited for when need be. */
  async anyReplica(except?: Replica): Promise<Replica> {
    const { replicas } = this.cluster
    for (;;) {
      const ready = replicas.filter(({ isReady }) => isReady)
      const choices = ready.filter((replica) => replica !== except)
      const chosen = choices[this.random.between(0, Math.max(0, choices.length - 1))]
      if (chosen && ready.length > 1) return chosen
      await delay(20, undefined, { signal: this.signal })
    }
  }

  async kill(replica: Replica): Promise<void> {
    this.signal.throwIfAborted()
    if (!replica.isRunning) return
    await replica.kill()
    this.kills += 1
  }

  /** Kills one replica at a random moment and starts it again, which the next check waits for. */
  async killAny(): Promise<void> {
    const replica = await this.anyReplica()
    await this.randomMoment(900)
    await this.kill(replica)
    this.restart(replica)
  }

  restart(replica: Replica, env?: NodeJS.ProcessEnv): void {
    const starting = start(replica, env)
    // Told by `started`.
    starting.catch(() => {})
    this.#starts.set(replica, starting)
  }

  async started(replica: Replica): Promise<void> {
    await this.#starts.get(replica)
  }

  async allStarted(): Promise<void> {
    await Promise.all(this.#starts.values())
  }

  /** Lets clients and replicas come to rest, and compares what there is with what was promised. @throws Violated */
  async check({ isThorough = false } = {}): Promise<void> {
    this.signal.throwIfAborted()
    const startedAt = performance.now()
    await Promise.all([this.workload.pause(), this.allStarted()])
    const restedAt = performance.now()
    const violations = await this.#checker.check({ isThorough })
    const [rest, check] = [restedAt - startedAt, performance.now() - restedAt].map((ms) => (ms / 1000).toFixed(1))
    this.log(`${this.kills} kills so far; at rest after ${rest} s, recovered and checked in ${check} s`)
    if (violations.length > 0) throw new Violated(violations)
    if (!isThorough) this.workload.resume()
  }
}

/** A server that finds its database away ends, and is started again, as a service manager does. */
async function start(replica: Replica, env?: NodeJS.ProcessEnv): Promise<void> {
  for (let tries = 5; ; tries--) {
    try {
      return await replica.start(env)
    } catch (error) {
      if (tries === 1) throw error
    }
  }
}
