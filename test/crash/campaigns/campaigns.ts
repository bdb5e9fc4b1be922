import type { Campaign } from './campaign.ts'
import { badDatabase } from './database.ts'
import { badDatabaseLine } from './database-line.ts'
import { atFailpoints } from './failpoints.ts'
import { behindHaproxy, randomMoments } from './random-moments.ts'
import { badStore } from './store.ts'
import { badStoreLine } from './store-line.ts'

/** In the order they run. */
export const campaigns: readonly Campaign[] = [
  atFailpoints,
  randomMoments,
  behindHaproxy,
  badDatabase,
  badDatabaseLine,
  badStore,
  badStoreLine,
]

/** How many of the kills asked for fall to a campaign. */
export function killsOf({ share }: Campaign, kills: number): number {
  return Math.ceil((kills * share) / 100)
}
