import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { leftOutOf } from './left-out.ts'
import { spawnTethered } from './tethered.ts'

export interface TapRun {
  /** tap's arguments. */
  args: string[]
  /** What the tests get to see beside our own environment. */
  environment: Record<string, string>
  /** A folder for temporary files. */
  directory: string
  /** Ends tap. */
  signal: AbortSignal
}

const tapProgram = fileURLToPath(new URL('../../node_modules/.bin/tap', import.meta.url))

/** What a log needs no line for: what passed inside a test file, and TAP's bookkeeping. */
const noise = /^( +ok \d(?!.* # (SKIP|TODO))| *# Subtest: | *\d+\.\.\d+| *# time=|TAP version|# No coverage| *$)/

/** Runs tap. Resolves with its exit code, its own count of assertions as a line for people and tools, and what it skipped. */
export async function runTap({ args, environment, directory, signal }: TapRun) {
  const results = join(directory, 'results.tap')
  const isTerminal = process.stdout.isTTY
  const output = isTerminal ? `--output-file=${results}` : '--reporter=tap'
  const tap = spawnTethered(process.execPath, [tapProgram, ...args, output], {
    env: { ...process.env, ...environment },
    stdout: isTerminal ? 'inherit' : 'pipe',
    stderr: 'inherit',
  })
  signal.addEventListener('abort', tap.stop)
  const printed = tap.process.stdout ? await printWithoutNoise(tap.process.stdout) : undefined
  const code = await tap.exited
  const text = printed ?? (await readResults(results))
  return { code, summary: summarise(text), leftOut: leftOutOf(text) }
}

/** tap's other reporters draw a moving picture into a log, or leave out the details. Resolves with all it printed. */
async function printWithoutNoise(output: Readable): Promise<string> {
  const lines: string[] = []
  for await (const line of createInterface({ input: output })) {
    lines.push(line)
    if (!noise.test(line)) console.log(line)
  }
  return lines.join('\n')
}

function readResults(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}

function summarise(results: string): string {
  const counts = /^# \{ (total: .*) \}$/m.exec(results)?.[1]
  if (counts === undefined) return 'tap ended without a result'
  const count = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(counts)?.[1] ?? 0)
  const skipped = count('skip') + count('todo')
  return `${count('pass')} passed, ${count('fail')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
