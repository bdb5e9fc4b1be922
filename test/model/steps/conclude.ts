import assert from 'node:assert/strict'
import type { Model } from '../expected/model.ts'
import type { Upload } from '../expected/upload.ts'
import { adopt, list } from '../promises/api-view.ts'
import type { Run } from '../real/run.ts'
import type { Answer } from '../real/sending.ts'

/** A request that was sent to its end has been answered as it must be; its attachments are where that leaves them. */
export async function conclude(model: Model, run: Run, upload: Upload, answer: Answer): Promise<void> {
  await adoptBegun(model, run, upload)
  model.release(upload)
  const { status, body } = answer
  if (upload.isLost) {
    assert.ok(isRefusal(status), `Deleted or given up under it, a request was answered ${status}: ${body}`)
    return upload.fail()
  }
  assert.equal(status, upload.outcome.status, `What was sent was answered: ${body}`)
  if (status === 200 && model.forms.includes(upload)) namesAll(upload, body)
  upload.succeedOrFail()
}

/** What a request may be answered that somebody interfered with; its connection may as well have ended. */
export const isRefusal = (status: number | undefined): boolean => [undefined, 404, 409].includes(status)

/** Takes in the files of a form that have begun by now. */
export async function adoptBegun(model: Model, run: Run, { messageId }: Upload): Promise<void> {
  const message = model.messages.find(({ id }) => id === messageId)
  if (message === undefined) return
  // A client that has hung up at once may have been noticed or not.
  for (const { upload } of adopt(model, await list(run, run.stage.replicas.inService()[0], message)))
    if (upload.isLost) upload.leaveOpen()
}

/** In the order sent. */
function namesAll({ files }: Upload, body: string): void {
  const { attachmentIds } = JSON.parse(body) as { attachmentIds: number[] }
  assert.deepEqual(
    attachmentIds,
    files.map(({ attachment }) => attachment?.id),
    'The ids of a form',
  )
}
