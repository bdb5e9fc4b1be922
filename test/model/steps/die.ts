import fc from 'fast-check'
import type { Attachment } from '../expected/attachment.ts'
import { type Model, pick } from '../expected/model.ts'
import { uploading } from '../expected/states.ts'
import type { Run } from '../real/run.ts'
import { type RawRequest, Sending } from '../real/sending.ts'
import { conclude } from './conclude.ts'
import { planForm, wholeForms } from './form-plan.ts'
import { untouched } from './hang-up.ts'
import { planPut, putOf, putUpload, refusalOf, wholeWays } from './put-plan.ts'
import { anyOne, replicas, step } from './step.ts'

/** Where a file passes on its way to Ready, or to failing. */
const failpoints = fc.constantFrom(
  'before-intent',
  'after-intent',
  'before-put',
  'after-put',
  'before-create',
  'after-create',
  'after-upload-id',
  'before-part',
  'after-part',
  'before-complete',
  'after-complete',
  'before-verify',
  'after-verify',
  'before-publish',
  'before-publish',
  'after-publish',
  'before-fail',
  'after-fail',
)

/** A server of its own dies, if it comes there, exactly where it is told to while it takes a form. */
export const dieAtForm = step({
  name: 'die at a form',
  choices: fc.record({ replica: replicas, failpoint: failpoints, message: anyOne, form: wholeForms }),
  isPossible: ({ openMessages, attachments }) => openMessages.length > 0 && attachments.length < 12,
  async take(model, run, { replica, failpoint, message, form }) {
    const { upload, request } = planForm(model, run, replica, pick(model.openMessages, message).id, form)
    model.announce(upload)
    const answer = await sendToDying(run, replica, failpoint, request)
    if (answer.status !== undefined) await conclude(model, run, upload, answer)
  },
})

export const dieAtPut = step({
  name: 'die at a put',
  choices: fc.record({ replica: replicas, failpoint: failpoints, which: anyOne, way: wholeWays }),
  isPossible: (model, { way }) => takers(model, way).length > 0,
  async take(model, run, { replica, failpoint, which, way }) {
    const attachment = pick(takers(model, way), which)
    const plan = planPut(attachment, way)
    const upload = putUpload(model, replica, attachment, plan)
    const answer = await sendToDying(run, replica, failpoint, putOf(run, attachment, plan))
    attachment.arriving = plan.content
    if (answer.status === undefined) attachment.leaveOpen(uploading, ...upload.ends)
    else {
      attachment.begin(plan.content)
      await conclude(model, run, upload, answer)
    }
  },
})

const takers = (model: Model, way: Parameters<typeof planPut>[1]): Attachment[] =>
  untouched(model.certain).filter((one) => refusalOf(one, planPut(one, way)) === undefined)

async function sendToDying(run: Run, replica: number, failpoint: string, request: RawRequest) {
  const serving = await run.stage.replicas.startDying(replica, failpoint)
  const answer = await new Sending(serving.url, request).finish()
  serving.signal('SIGKILL')
  await serving.ended
  return answer
}
