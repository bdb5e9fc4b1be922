/** The crash suite itself: campaign after campaign, then a table. Started by crash.ts. */
import { makeWorkplace } from '../../bench/workplace.ts'
import { campaigns, killsOf } from './campaigns/campaigns.ts'
import { runCampaign } from './campaigns/run-campaign.ts'
import { startServers } from './cluster/servers.ts'
import { type Options, readOptions } from './options.ts'
import { type Result, tableOf } from './report.ts'

/** Minutes that the suite may take for every 200 kills, everything included. */
const limit = 14

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interruption.abort())

try {
  const names = campaigns.map(({ name }) => name)
  process.exitCode = await main(readOptions(process.argv.slice(2), names))
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
process.exit()

async function main(options: Options): Promise<number> {
  const startedAt = performance.now()
  const minutes = limit * Math.max(1, options.kills / 200)
  const signal = AbortSignal.any([interruption.signal, AbortSignal.timeout(minutes * 60_000)])
  console.log(`seed ${options.seed}, at least ${options.kills} kills, at most ${minutes.toFixed(0)} minutes`)
  await using workplace = await makeWorkplace()
  await using servers = await startServers(workplace.directory, signal)
  const results: Result[] = []
  for (const campaign of campaigns) {
    if (options.only !== undefined && campaign.name !== options.only) continue
    if (signal.aborted) break
    const kills = options.only === undefined ? killsOf(campaign, options.kills) : options.kills
    results.push(await runCampaign(servers, campaign, { kills, seed: options.seed }))
  }
  console.log(`\n${tableOf(results)}\n\n${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes in all`)
  return verdict(results, options, signal)
}

/** @returns the exit code */
function verdict(results: readonly Result[], { kills, seed, only }: Options, signal: AbortSignal): number {
  const killed = results.reduce((sum, result) => sum + result.kills, 0)
  const isWhole = results.every(({ violations, failure }) => violations.length === 0 && failure === undefined)
  if (isWhole && killed >= kills) return 0
  if (signal.aborted) console.error(interruption.signal.aborted ? 'Interrupted.' : 'The suite took longer than it may.')
  if (killed < kills) console.error(`Only ${killed} kills of ${kills}.`)
  const again = `--kills ${kills} --seed ${seed}${only === undefined ? '' : ` --only ${only}`}`
  console.error(`FAILED. The same choices again: npm run test:crash -- ${again}`)
  return 1
}
