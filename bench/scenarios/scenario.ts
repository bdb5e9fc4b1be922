import type { Amount, Contender } from '../contenders/contender.ts'

/** What is sent to each contender. */
export interface Scenario {
  name: ScenarioName
  amount: Amount
  /** Requests at a time. */
  concurrency: number
  /** How fast each client sends; as fast as it goes when unset. */
  bytesPerSecond?: number
  /** What is sent before, so that what is measured runs compiled; nothing where memory is what matters. */
  warmUp?: Amount
  /** How often each contender is measured, each time in a process of its own. */
  rounds: number
  /** What CPU time is counted by. */
  cpuPer: 'GiB' | 'request'
  contenders: Contender[]
  /** Whether the files have to be there before. */
  isDownload?: true
}

export type ScenarioName =
  | 'large upload'
  | 'parallel upload'
  | 'slow upload'
  | 'small upload'
  | 'medium upload'
  | 'large download'
  | 'small download'
