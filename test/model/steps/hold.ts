import assert from 'node:assert/strict'
import fc from 'fast-check'
import { until } from '../../kit/until.ts'
import type { Attachment } from '../expected/attachment.ts'
import { type Model, pick } from '../expected/model.ts'
import { uploading } from '../expected/states.ts'
import type { Upload } from '../expected/upload.ts'
import type { Run } from '../real/run.ts'
import type { Sending } from '../real/sending.ts'
import { adoptBegun } from './conclude.ts'
import { heldForms, planForm } from './form-plan.ts'
import { openPut, type Plan, planPut, putUpload, refusalOf, wholeWays } from './put-plan.ts'
import { stateOf } from './state-of.ts'
import { anyOne, replicas, shares, step } from './step.ts'

const mostHeld = 4

/** Of a form, this much has to be missing for it not to be whole: the end of the closing boundary. */
const tail = 6

/** Above all those of which a writer that has lost is still at work: its bytes must not become theirs. */
function putTargets({ awaiting, held }: Model): Attachment[] {
  const targets = awaiting.filter(({ contents: [{ size }] }) => size > 1)
  const contested = targets.filter((one) => held.some(({ files }) => files.some((file) => file.attachment === one)))
  return [...targets, ...contested, ...contested, ...contested, ...contested]
}

/** Begins to send the bytes of an attachment, and stops on the way. */
export const holdPut = step({
  name: 'hold a put',
  choices: fc.record({ replica: replicas, which: anyOne, way: wholeWays, share: shares }),
  isPossible: (model, { which, way }) => {
    const [attachment] = putTargets(model).length > 0 ? [pick(putTargets(model), which)] : []
    return attachment !== undefined && !refusalOf(attachment, planPut(attachment, way)) && model.held.length < mostHeld
  },
  async take(model, run, { replica, which, way, share }) {
    const attachment = pick(putTargets(model), which)
    const plan = planPut(attachment, way)
    await beginPut(model, run, { replica, attachment, plan, share })
  },
})

export async function beginPut(
  model: Model,
  run: Run,
  { replica, attachment, plan, share }: { replica: number; attachment: Attachment; plan: Plan; share: number },
): Promise<void> {
  const upload = putUpload(model, replica, attachment, plan)
  const sending = await openPut(run, replica, attachment, plan)
  run.keep(upload, sending)
  await sending.sendUpTo(Math.floor(share * (plan.content.size - 1)))
  await hasBegun(sending, async () => (await stateOf(run, attachment)) === uploading)
  attachment.begin(plan.content)
  model.held.push(upload)
}

/** Begins to send a form, and stops on the way, before its first file or in any of them. */
export const holdForm = step({
  name: 'hold a form',
  choices: fc.record({ replica: replicas, message: anyOne, form: heldForms, share: shares }),
  isPossible: ({ openMessages, attachments, held }) =>
    openMessages.length > 0 && attachments.length < 12 && held.length < mostHeld,
  async take(model, run, { replica, message, form, share }) {
    const { id } = pick(model.openMessages, message)
    const { upload, request } = planForm(model, run, replica, id, form)
    const sending = await run.send(replica, request)
    model.announce(upload)
    model.held.push(upload)
    run.keep(upload, sending, request.beginnings)
    await sendShare(model, run, upload, share)
  },
})

/** Sends more of a request that is held, but not all. */
export const sendMore = step({
  name: 'send more',
  choices: fc.record({ which: anyOne, share: shares }),
  isPossible: ({ held }) => held.length > 0,
  take: (model, run, { which, share }) => sendShare(model, run, pick(model.held, which), share),
})

async function sendShare(model: Model, run: Run, upload: Upload, share: number): Promise<void> {
  const sending = run.sending(upload)
  const end = Math.floor(share * Math.max(0, sending.length - tail))
  await sending.sendUpTo(end)
  if (upload.isLost || !model.forms.includes(upload)) return
  const begun = run.beginnings(upload).filter((beginning) => beginning <= end)
  await hasBegun(sending, async () => {
    await adoptBegun(model, run, upload)
    return upload.files.slice(0, begun.length).every(({ attachment }) => attachment)
  })
}

async function hasBegun(sending: Sending, look: () => Promise<boolean>): Promise<void> {
  await until('the file has begun to arrive', async () => {
    if (sending.isClosed)
      assert.fail(`Before its last byte was sent, it was answered: ${JSON.stringify(await sending.answered())}`)
    return look()
  })
}
