import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { inheritedEnvironment, makeFolder, program } from './command.ts'
import { Session } from './cookie-api.ts'
import { expectBytes } from './http-client.ts'
import { until } from './until.ts'

/** A server that runs as its users run it: a program of its own, in a process group of its own. */
export interface Serving {
  url: string
  pid: number
  /** Everything it has printed. */
  output(): string
  /** To the whole group, as a terminal sends Ctrl-C. */
  signalGroup(signal: NodeJS.Signals): void
  /** To the one process, as `kill` does. */
  signal(signal: NodeJS.Signals): void
  /** How it ended. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Whether any process of its group is left. */
  isGroupAlive(): boolean
}

export const serveCommand = [process.execPath, program, 'serve']

/** Starts a server on a free port. Rejects with what it printed when it ends before it is ready. */
export async function startServing(
  t: Test,
  env: NodeJS.ProcessEnv,
  { command: [file = '', ...args] = serveCommand, cwd }: { command?: string[]; cwd?: string } = {},
): Promise<Serving> {
  const child = spawn(file, args, {
    cwd: cwd ?? (await makeFolder(t)),
    // Tests come from one address, and as fast as they can.
    env: {
      ...inheritedEnvironment(),
      PORT: '0',
      REQUESTS_PER_MINUTE: '0',
      REQUESTS_PER_MINUTE_PER_ADDRESS: '0',
      ...env,
    },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const group = -(child.pid as number)
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (printed += text))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  const isGroupAlive = () => reaches(group, 0)
  t.teardown(async () => {
    reaches(group, 'SIGKILL')
    await ended
    if (!t.passing()) console.error(`The server printed:\n${printed}`)
  })
  const isReady = () => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`It ended and printed:\n${printed}`)
    return /Server listening at (http:[^"]+)".*"msg":"ready"/s.exec(printed)
  }
  const url = (await until('the server is ready', isReady, 60))?.[1] ?? ''
  return {
    url,
    pid: child.pid as number,
    output: () => printed,
    signalGroup: (signal) => process.kill(group, signal),
    signal: (signal) => child.kill(signal),
    ended,
    isGroupAlive,
  }
}

function reaches(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(group, signal)
  } catch {
    return false
  }
}

/** The credentials of the demo's user, which a server prints right after it is ready. */
export async function demoOf(serving: Serving): Promise<{ cookie: string; authorization: string }> {
  await until('the demo is printed', () => /^Ctrl-C stops the server/m.test(serving.output()))
  const cookie = /^COOKIE='(.+)'$/m.exec(serving.output())?.[1]
  const token = /^TOKEN='(.+)'$/m.exec(serving.output())?.[1]
  if (!cookie || !token) throw new Error(`No credentials in:\n${serving.output()}`)
  return { cookie, authorization: `Bearer ${token}` }
}

/** Uploads a file over the cookie API to message 1. @returns its id */
export async function uploadFile({ url }: Serving, cookie: string, name: string, bytes: Buffer): Promise<number> {
  const [id] = await new Session(url, { cookie }).upload(new File([new Uint8Array(bytes)], name))
  return id as number
}

/** Downloads one over the cookie API. */
export function downloadFile({ url }: Serving, cookie: string, id: number, name: string): Promise<Buffer> {
  return expectBytes(new Session(url, { cookie }).download(id, name))
}
