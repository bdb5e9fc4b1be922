import { once } from 'node:events'
import { SeededRandom } from '../../kit/seeded-random.ts'
import { Checker } from '../checker/checker.ts'
import { type Cluster, openCluster } from '../cluster/cluster.ts'
import type { Servers } from '../cluster/servers.ts'
import { type Result, tellLogs, tellViolations } from '../report.ts'
import type { Journal } from '../workload/journal.ts'
import { Workload } from '../workload/workload.ts'
import type { Campaign } from './campaign.ts'
import { Stage, Violated } from './stage.ts'

/** Runs a campaign on a cluster of its own and ends it at the first violation, which is told at once. */
export async function runCampaign(
  servers: Servers,
  campaign: Campaign,
  { kills, seed }: { kills: number; seed: number },
): Promise<Result> {
  const startedAt = performance.now()
  const log = (message: string) => console.log(`${campaign.name}: ${message}`)
  await using cluster = await openCluster(servers, campaign)
  const workload = new Workload(cluster, seed)
  await using checker = new Checker(cluster, workload.journal)
  const stage = new Stage({ cluster, workload, checker, random: new SeededRandom(seed), signal: servers.signal, log })
  const outcome = await finish(stage, campaign, kills)
  await tell(outcome, cluster)
  return {
    campaign: campaign.name,
    kills: stage.kills,
    ...figuresOf(workload.journal),
    ...outcome,
    recovered: checker.recovered,
    recovery: checker.longestRecovery,
    seconds: (performance.now() - startedAt) / 1000,
  }
}

async function finish(stage: Stage, { run }: Campaign, kills: number): Promise<Pick<Result, 'violations' | 'failure'>> {
  const { signal, workload } = stage
  const aborted = once(signal, 'abort').then(() => signal.throwIfAborted())
  try {
    workload.resume()
    await Promise.race([runToItsEnd(stage, run, kills), aborted])
    return { violations: [] }
  } catch (error) {
    if (error instanceof Violated) return { violations: error.violations }
    return { violations: [], failure: (error as Error).stack ?? String(error) }
  } finally {
    // Nobody waits for clients any more once everything has to end.
    if (!signal.aborted) await workload.pause()
  }
}

async function runToItsEnd(stage: Stage, run: Campaign['run'], kills: number): Promise<void> {
  await run(stage, kills)
  await stage.check({ isThorough: true })
}

async function tell({ violations, failure }: Pick<Result, 'violations' | 'failure'>, cluster: Cluster): Promise<void> {
  if (cluster.servers.signal.aborted) return
  if (failure !== undefined) console.error(failure)
  if (violations.length > 0) await tellViolations(violations, cluster)
  else if (failure !== undefined) await tellLogs(cluster)
}

function figuresOf({ uploadsAcknowledged: uploads, removalsAcknowledged: deletes, refused, broken }: Journal) {
  return { uploads, deletes, refused, broken }
}
