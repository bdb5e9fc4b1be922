import type { Campaign } from './campaign.ts'
import type { Stage } from './stage.ts'

const killsPerCheck = 5

async function run(stage: Stage, kills: number): Promise<void> {
  while (stage.kills < kills) {
    for (let count = 0; count < killsPerCheck; count++) await stage.killAny()
    await stage.check()
  }
}

/** Wherever they happen to be. */
export const randomMoments: Campaign = {
  name: 'random-moments',
  share: 22,
  balancer: 'nginx',
  checksums: 'crc32',
  isVersioned: false,
  run,
}

/** The same behind the other load balancer, on a bucket that keeps versions. */
export const behindHaproxy: Campaign = {
  name: 'behind-haproxy',
  share: 10,
  balancer: 'haproxy',
  checksums: 'off',
  isVersioned: true,
  run,
}
