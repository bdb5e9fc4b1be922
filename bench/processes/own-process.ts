import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** A Node process of the bench that answers messages. No Ctrl-C of the terminal reaches it; it ends when we do. */
export interface OwnProcess extends AsyncDisposable {
  /** Sends a message and resolves with the answer. Rejects when the process has none to give any more. */
  ask<Answer>(message: object): Promise<Answer>
  /** Everything it has printed. */
  printed(): Promise<string>
  /** Rejects, with what it printed, as soon as it has ended without being asked to. */
  ended: Promise<never>
}

export interface ProcessOptions {
  /** Flags, script and arguments for Node. */
  args: string[]
  /** All of its environment, beside PATH and HOME. */
  env?: NodeJS.ProcessEnv
  cwd: string
  /** Gets what it prints. */
  logFile: string
  /** Ends it. */
  signal: AbortSignal
}

/** How long it may take to end in order, in milliseconds. */
const stopLimit = 15_000

/** Starts it; whether it does what it should, `ended` and the answers tell. */
export async function startProcess({ args, env, cwd, logFile, signal }: ProcessOptions): Promise<OwnProcess> {
  const { PATH, HOME } = process.env
  signal.throwIfAborted()
  await using log = await open(logFile, 'w')
  const child = spawn(process.execPath, args, {
    cwd,
    env: { PATH, HOME, ...env },
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
    signal,
  })
  const printed = () => readFile(logFile, 'utf8')
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  // An abort is an error event too; that the process ends tells enough.
  child.on('error', () => {})
  const ended = exited.then(async () => {
    signal.throwIfAborted()
    throw new Error(`A process ended too early: node ${args.join(' ')}\nIt printed:\n${(await printed()).slice(-4000)}`)
  })
  ended.catch(() => {})
  return {
    ask: (message) => Promise.race([answerTo(child, message), ended]) as Promise<never>,
    printed,
    ended,
    [Symbol.asyncDispose]: () => stop(child, exited),
  }
}

/** One question at a time: the next message is the answer. */
async function answerTo(child: ChildProcess, message: object): Promise<unknown> {
  const answer = once(child, 'message')
  child.send(message)
  const [{ failed, ...rest }] = await answer
  if (failed !== undefined) throw new Error(failed)
  return rest
}

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const isLate = await Promise.race([exited.then(() => false), delay(stopLimit, true, { ref: false })])
  if (isLate) child.kill('SIGKILL')
  await exited
}
