import type { Load, Outcome } from '../client/load.ts'
import type { ServerProcess } from '../processes/server-process.ts'
import type { Stage } from '../stage.ts'

/** How many requests with files of what size. */
export interface Amount {
  requests: number
  fileBytes: number
}

/** What a contender sends; how many at a time and how fast is the scenario's. */
export type Requests = Pick<Load, 'method' | 'paths' | 'headers' | 'body' | 'download'>

/** A server that takes part, and how it is spoken to. */
export interface Contender {
  name: string
  /** Whether it is ours, only does a part of the work, or is what others use for all of it. */
  kind: 'stowage' | 'floor' | 'other'
  /** Starts it in a process of its own, with a bucket and a database of its own if it needs them. */
  open(stage: Stage): Promise<Running>
}

/** A contender's server while it is measured. */
export interface Running extends AsyncDisposable {
  server: ServerProcess
  /** Makes the requests ready; what that takes is not measured. */
  prepare(amount: Amount): Promise<Requests>
  /** @throws when what it was sent, and confirmed, is not there */
  check(amount: Amount, outcome: Outcome): Promise<void>
}
