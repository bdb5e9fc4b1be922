import { setTimeout as delay } from 'node:timers/promises'
import type { Replica } from '../cluster/replica.ts'
import type { Violation } from '../workload/journal.ts'

/** Something that each replica is asked for, again and again. */
export interface Question {
  /** What is asked for, as in "an upload". */
  what: string
  /** Milliseconds in which it must be answered: what is promised, and what the machine takes. */
  limit: number
  /** @returns the status; 0 when there was no whole answer within `limit` ms */
  ask(replica: Replica, limit: number): Promise<number>
}

/** What the answers must be while something is away. */
export interface Expected {
  /** 503, once it has been noticed, and 200 before that. */
  refused: readonly Question[]
  /** 200. */
  given: readonly Question[]
}

/** Milliseconds in which a replica must work again, once what it depends on does. */
const backLimit = 10_000

const pause = 200

/** Asks every replica again and again, each question beside the others. */
export class Probes {
  readonly violations: Violation[] = []
  /** Milliseconds that the slowest answer to what is refused took, and to what is given. */
  slowestRefused = 0
  slowestGiven = 0
  /** The pairs of question and replica whose answer has not been as expected in the end. */
  readonly #missing = new Set<string>()
  readonly #asking: Promise<unknown>
  #isOver = false

  constructor(replicas: readonly Replica[], { refused, given }: Expected) {
    const loops = replicas.flatMap((replica) => [
      ...refused.map((question) => this.#repeat(question, replica, (answer) => this.#lookAtRefused(answer))),
      ...given.map((question) => this.#repeat(question, replica, (answer) => this.#lookAtGiven(answer))),
    ])
    this.#asking = Promise.all(loops)
  }

  /** What nobody has seen yet: a refusal of what is refused and an answer to what is given, of every replica. */
  get missing(): string[] {
    return [...this.#missing]
  }

  /** Resolves when what was asked is answered. */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#asking
  }

  async #repeat(question: Question, replica: Replica, lookAt: (answer: Answer) => boolean): Promise<void> {
    const what = `${question.what} of ${replica.name}`
    this.#missing.add(what)
    while (!this.#isOver) {
      if (lookAt(await answerTo(question, replica))) this.#missing.delete(what)
      await delay(pause)
    }
  }

  /** @returns whether it was refused */
  #lookAtRefused(answer: Answer): boolean {
    this.slowestRefused = Math.max(this.slowestRefused, answer.milliseconds)
    if (answer.status !== 200 && answer.status !== 503) this.#tell(answer)
    return answer.status === 503
  }

  /** @returns whether it was given */
  #lookAtGiven(answer: Answer): boolean {
    this.slowestGiven = Math.max(this.slowestGiven, answer.milliseconds)
    if (answer.status !== 200) this.#tell(answer)
    return answer.status === 200
  }

  #tell({ what, status, milliseconds }: Answer): void {
    this.violations.push({ kind: 'wrong', text: `${what} was answered ${status} after ${milliseconds} ms` })
  }
}

/** Waits until every replica answers every question with 200. @returns the milliseconds that took, and which took longer than they may */
export async function awaitBack(
  replicas: readonly Replica[],
  questions: readonly Question[],
): Promise<{ milliseconds: number; violations: Violation[] }> {
  const startedAt = performance.now()
  const since = () => performance.now() - startedAt
  const awaitAnswer = async (question: Question, replica: Replica): Promise<Violation[]> => {
    for (;;) {
      const { what, status } = await answerTo(question, replica, backLimit)
      if (status === 200) return []
      const text = `${what} is answered ${status} ${backLimit} ms after what it depends on works again`
      if (since() > backLimit) return [{ kind: 'wrong', text }]
      await delay(pause)
    }
  }
  const pairs = replicas.flatMap((replica) => questions.map((question) => awaitAnswer(question, replica)))
  const violations = (await Promise.all(pairs)).flat()
  return { milliseconds: since(), violations }
}

interface Answer {
  /** What of which replica. */
  what: string
  status: number
  milliseconds: number
}

async function answerTo(question: Question, replica: Replica, limit = question.limit): Promise<Answer> {
  const startedAt = performance.now()
  const status = await question.ask(replica, limit)
  const milliseconds = Math.round(performance.now() - startedAt)
  return { what: `${question.what} of ${replica.name}`, status, milliseconds }
}
