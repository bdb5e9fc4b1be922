import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { nodeFlags } from '../../../bench/processes/node-flags.ts'
import { inheritedEnvironment, program } from '../../kit/command.ts'
import { until } from '../../kit/until.ts'

/** How long a replica may take to start, in seconds: it shares the machine with all the others. */
const startLimit = 30

/** A server that is killed and started again, always at the same address. It ends with the process group at the latest. */
export class Replica {
  readonly url: string
  readonly name: string
  readonly #port: number
  readonly #directory: string
  readonly #env: NodeJS.ProcessEnv
  #child: ChildProcess | undefined
  #ended: Promise<NodeJS.Signals | null> = Promise.resolve(null)
  #hasAnswered = false

  constructor(name: string, port: number, directory: string, env: NodeJS.ProcessEnv) {
    this.name = name
    this.#port = port
    this.url = `http://127.0.0.1:${port}`
    this.#directory = directory
    this.#env = env
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Whether it takes requests. */
  get isReady(): boolean {
    return this.isRunning && this.#hasAnswered
  }

  /** The signal that it ended by, once it has ended. */
  get ended(): Promise<NodeJS.Signals | null> {
    return this.#ended
  }

  get #logFile(): string {
    return `${this.#directory}/${this.name}.log`
  }

  /** Resolves when it takes requests. @param env beside what every start has, such as an armed failpoint */
  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    await using log = await open(this.#logFile, 'a')
    const child = spawn(process.execPath, [...(await nodeFlags()), program, 'serve'], {
      cwd: this.#directory,
      env: { ...inheritedEnvironment(), HOST: '127.0.0.1', PORT: String(this.#port), ...this.#env, ...env },
      stdio: ['ignore', log.fd, log.fd],
    })
    this.#child = child
    this.#hasAnswered = false
    this.#ended = once(child, 'exit').then(([, signal]) => signal)
    // Armed, it may die as soon as its workers run, before anybody saw it ready.
    await until(`${this.name} is ready`, async () => !this.isRunning || (await this.#answers()), startLimit)
    if (child.exitCode !== null) throw new Error(`${this.name} ended at its start:\n${await this.tail()}`)
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  /** The last lines it logged, as much of each as tells what it is about. */
  async tail(): Promise<string> {
    const text = await readFile(this.#logFile, 'utf8').catch(() => '')
    const lines = text.trimEnd().split('\n').slice(-12)
    return lines.map((line) => (line.length > 400 ? `${line.slice(0, 400)} …` : line)).join('\n')
  }

  async #answers(): Promise<boolean> {
    const response = await fetch(`${this.url}/livez`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined)
    await response?.body?.cancel()
    this.#hasAnswered = response?.ok ?? false
    return this.#hasAnswered
  }
}
