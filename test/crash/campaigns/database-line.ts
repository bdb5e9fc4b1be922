import type { DatabasePair } from '../cluster/database-pair.ts'
import type { Toxic } from '../cluster/line.ts'
import type { Campaign } from './campaign.ts'
import { beBack, suffer } from './outage.ts'
import { liveness, readiness, writing } from './questions.ts'
import type { Stage } from './stage.ts'

/** A way for the database to be away. */
interface Fault {
  name: string
  begin(pair: DatabasePair): Promise<unknown>
  end(pair: DatabasePair): Promise<unknown>
}

const both = (toxic: Omit<Toxic, 'stream'>): Toxic[] =>
  (['upstream', 'downstream'] as const).map((stream) => ({ ...toxic, stream }))

const readOnly = (verb: string) => `alter database postgres ${verb} default_transaction_read_only`

const faults: Fault[] = [
  spoilt('silent', both({ type: 'timeout', attributes: { timeout: 0 } })),
  spoilt('closing at once', both({ type: 'timeout', attributes: { timeout: 1 } })),
  spoilt('resetting', [{ type: 'reset_peer', stream: 'downstream', attributes: { timeout: 0 } }]),
  { name: 'refusing', begin: ({ line }) => line.refuse(), end: ({ line }) => line.heal() },
  { name: 'frozen', begin: ({ primary }) => primary.freeze(), end: ({ primary }) => primary.thaw() },
  {
    name: 'read-only',
    async begin({ primary }) {
      await primary.query(`${readOnly('set')} = on`)
      await primary.query(`
        select pg_terminate_backend(pid) from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()`)
    },
    // Connections stay as they are.
    end: ({ primary }) => primary.query(`begin read write; ${readOnly('reset')}; commit`),
  },
]

function spoilt(name: string, toxics: Toxic[]): Fault {
  return { name, begin: ({ line }) => line.spoil(toxics), end: ({ line }) => line.heal() }
}

async function run(stage: Stage, kills: number): Promise<void> {
  const pair = stage.cluster.pair as DatabasePair
  const questions = [writing(stage), readiness]
  for (const { name, begin, end } of faults) {
    await stage.randomMoment(1000)
    const away = { name: `the database is ${name}`, begin: () => begin(pair), end: () => end(pair) }
    await suffer(stage, { ...away, refused: questions, given: [liveness] })
    await stage.killAny()
    await stage.check()
  }
  await stage.randomMoment(1000)
  await pair.failOver()
  await beBack(stage, 'failover to a standby', questions)
  do await stage.killAny()
  while (stage.kills < kills)
  await stage.check()
}

/** The database is away in every way there is, and in the end for good: its standby takes its place. */
export const badDatabaseLine: Campaign = {
  name: 'bad-database-line',
  share: 4,
  balancer: 'nginx',
  checksums: 'crc32',
  isVersioned: false,
  hasStandby: true,
  run,
}
