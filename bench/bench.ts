/** `npm run bench`: measures Stowage beside floors and other servers and prints what it found. See docs/benchmark.md. */
import { writeFile } from 'node:fs/promises'
import { startBackends } from './backends/backends.ts'
import { startClient } from './client/client-process.ts'
import { makeFixture } from './contenders/fixture.ts'
import { type Options, readOptions, UsageError } from './options.ts'
import { nodeFlags } from './processes/node-flags.ts'
import { describeRun } from './report/machine.ts'
import { report, reportJson } from './report/report.ts'
import { measureScenario, type Result } from './rounds.ts'
import { scenariosFor } from './scenarios/choose.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { placeIn, type Stage } from './stage.ts'
import { makeFolderToKeep, makeWorkplace } from './workplace.ts'

const interruption = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => interruption.abort())

try {
  process.exitCode = await main(readOptions(process.argv.slice(2)))
} catch (error) {
  if (!interruption.signal.aborted) console.error(error instanceof UsageError ? error.message : error)
  process.exitCode = interruption.signal.aborted ? 130 : 1
}

/** @returns the exit code: 1 when something broke, whatever the figures are */
async function main(options: Options): Promise<number> {
  const scenarios = scenariosFor(options)
  await using ending = new AsyncDisposableStack()
  const stage = await setUp(options, scenarios, ending)
  const description = await describeRun(stage.backends, stage.flags)
  const results: Result[] = []
  for (const scenario of scenarios) results.push(...(await measureScenario(stage, scenario)))
  console.log(report({ options, description, scenarios, results, profiles: stage.profiles }))
  if (options.json !== undefined) await writeFile(options.json, reportJson(description, results))
  return results.some(({ failure }) => failure !== undefined) ? 1 : 0
}

async function setUp(options: Options, scenarios: Scenario[], ending: AsyncDisposableStack): Promise<Stage> {
  const { signal } = interruption
  const { directory } = ending.use(await makeWorkplace())
  const backends = ending.use(await startBackends(directory))
  const client = ending.use(await startClient(placeIn({ directory, signal })))
  const profiles = options.profile ? (options.profileFolder ?? (await makeFolderToKeep())) : undefined
  const parts = { backends, client, directory, flags: await nodeFlags(), profiles, signal }
  const downloads = scenarios.filter(({ isDownload }) => isDownload).map(({ amount }) => amount.fileBytes)
  return { ...parts, fixture: ending.use(await makeFixture(parts, downloads)) }
}
