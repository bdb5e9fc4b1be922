import type { Attachment } from '../expected/attachment.ts'
import type { State } from '../expected/states.ts'
import type { Seen } from '../promises/api-view.ts'
import type { Run } from '../real/run.ts'

/** Where an attachment is at this moment, for what a step waits for; `undefined` when it is not there. */
export async function stateOf(run: Run, { id }: Attachment): Promise<State | undefined> {
  const response = await run.read(run.stage.replicas.inService()[0], `/attachments/${id}`)
  return ((await response.json()) as Partial<Seen>).attachmentState
}
