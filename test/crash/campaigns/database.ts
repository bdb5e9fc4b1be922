import type { Campaign } from './campaign.ts'
import type { Stage } from './stage.ts'

/** What happens to Postgres, one after the other. */
const faults: { name: string; happen(stage: Stage): Promise<void> }[] = [
  { name: 'connections cut', happen: cutTwice },
  { name: 'fast restart', happen: ({ cluster }) => cluster.servers.postgres.restart('SIGINT') },
  { name: 'crash', happen: ({ cluster }) => cluster.servers.postgres.restart('SIGQUIT') },
]

async function cutTwice(stage: Stage): Promise<void> {
  const { servers, databaseName } = stage.cluster
  await servers.postgres.cutConnections(databaseName)
  await stage.randomMoment(800)
  await servers.postgres.cutConnections(databaseName)
}

async function run(stage: Stage, kills: number): Promise<void> {
  for (let round = 0; stage.kills < kills || round < faults.length; round++) {
    const { name, happen } = faults[round % faults.length] as (typeof faults)[number]
    stage.log(name)
    await stage.randomMoment(1000)
    // One that dies in the midst of it, one that dies of what it left, and one after that.
    await Promise.all([happen(stage), stage.killAny()])
    await stage.killAny()
    await stage.killAny()
    await stage.check()
  }
}

/** The database goes away and comes back. */
export const badDatabase: Campaign = {
  name: 'bad-database',
  share: 8,
  balancer: 'nginx',
  checksums: 'crc32',
  isVersioned: false,
  run,
}
