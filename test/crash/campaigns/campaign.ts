import type { ClusterOptions } from '../cluster/cluster.ts'
import type { Stage } from './stage.ts'

/** A way to treat a cluster badly. */
export interface Campaign extends ClusterOptions {
  /** Of every hundred kills that are asked for, how many fall to it. */
  share: number
  /** @param kills at least so many */
  run(stage: Stage, kills: number): Promise<void>
}
