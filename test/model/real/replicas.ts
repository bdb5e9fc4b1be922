import type { Test } from 'tap'
import { type Serving, serveCommand, startServing } from '../../kit/serving.ts'

/** Servers on one database and one bucket, of which at most one is dead at a time. */
export class Replicas {
  readonly #t: Test
  readonly #settings: readonly NodeJS.ProcessEnv[]
  readonly #starting: Promise<Serving>[]
  readonly #running: (Serving | undefined)[] = []

  /** @param settings one for each replica */
  constructor(t: Test, settings: readonly NodeJS.ProcessEnv[]) {
    this.#t = t
    this.#settings = settings
    this.#starting = settings.map((_, number) => this.#start(number))
  }

  /** Resolves, with its address, when it runs. */
  async url(number: number): Promise<string> {
    return (await (this.#starting[number] as Promise<Serving>)).url
  }

  /** The addresses of those that run now. */
  inService(): [string, ...string[]] {
    return this.#running.flatMap((serving) => serving?.url ?? []) as [string, ...string[]]
  }

  /** Kills one as `kill -9` does. It starts again at once, under another address. */
  async crash(number: number): Promise<void> {
    await Promise.all(this.#starting)
    const serving = this.#running[number] as Serving
    this.#running[number] = undefined
    serving.signal('SIGKILL')
    await serving.ended
    this.#starting[number] = this.#start(number)
    // Whoever needs it next gets to hear of it.
    this.#starting[number].catch(() => {})
  }

  /** Starts one more, with the settings of this one, that dies where it is told to: while it answers, not before. */
  startDying(number: number, failpoint: string): Promise<Serving> {
    const settings = { ...this.#settings[number], STOWAGE_FAILPOINT: failpoint }
    return startServing(withoutItsLog(this.#t), settings, { command: [...serveCommand, '--no-workers'] })
  }

  /** Resolves when all of them run; one that has died by itself is a failure. */
  async allRun(): Promise<void> {
    for (const serving of await Promise.all(this.#starting))
      if (!serving.isGroupAlive()) throw new Error(`A server died by itself and printed:\n${serving.output()}`)
  }

  async #start(number: number): Promise<Serving> {
    const serving = await startServing(withoutItsLog(this.#t), { ...this.#settings[number] })
    this.#running[number] = serving
    this.#t.teardown(() => {
      if (!this.#t.passing()) console.error(warningsOf(serving.output()))
    })
    return serving
  }
}

/** A line for each of thousands of requests would bury what has failed. */
function withoutItsLog(t: Test): Test {
  return { teardown: t.teardown.bind(t), passing: () => true } as unknown as Test
}

const warningsOf = (log: string): string =>
  log
    .split('\n')
    .filter((line) => !/^\{"level":[123]0,/.test(line))
    .slice(-20)
    .join('\n')
