import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Attachment } from '../expected/attachment.ts'
import { pick } from '../expected/model.ts'
import { hashFailed, hashing, initial, uploadFailed, uploading } from '../expected/states.ts'
import { hungUp } from './await-hang-up.ts'
import { heldForms, planForm } from './form-plan.ts'
import { openPut, planPut, refusalOf, type Way, wholeWays } from './put-plan.ts'
import { anyOne, replicas, shares, step } from './step.ts'

/** Hangs up a request that is held. */
export const hangUp = step({
  name: 'hang up',
  choices: fc.record({
    which: anyOne,
    how: fc.constantFrom('close' as const, 'reset' as const, 'close half' as const),
  }),
  isPossible: ({ held }) => held.length > 0,
  async take(model, run, { which, how }) {
    const upload = pick(model.held, which)
    const sending = run.sending(upload)
    if (how === 'close half') {
      const { status = 0, body } = await sending.closeHalf()
      assert.ok(status < 200 || status > 299, `What was hung up half-way was answered ${status}: ${body}`)
    } else sending.hangUp(how)
    await hungUp(model, run, upload)
  },
})

/** Sends a little and hangs up at once: perhaps the server hears of nothing but the hang-up. */
export const hangUpAtOnce = step({
  name: 'hang up at once',
  choices: fc.record({ replica: replicas, which: anyOne, way: wholeWays, share: shares }),
  isPossible: (model, { way }) => untouched(model.certain).some((one) => isTakenInPart(one, way)),
  async take(model, run, { replica, which, way, share }) {
    const targets = untouched(model.certain).filter((one) => isTakenInPart(one, way))
    const attachment = pick(targets, which)
    const plan = planPut(attachment, way)
    const sending = await openPut(run, replica, attachment, plan)
    await sending.sendUpTo(Math.floor(share * (plan.content.size - 1)))
    sending.hangUp('close')
    attachment.leaveOpen(uploading, uploadFailed)
  },
})

/** Of others it could not be seen afterwards which of their attempts has failed. */
export function untouched(attachments: readonly Attachment[]): Attachment[] {
  return attachments.filter(({ state }) => [initial, hashing, hashFailed].includes(state))
}

const isTakenInPart = (attachment: Attachment, way: Way) =>
  attachment.contents[0].size > 1 && refusalOf(attachment, planPut(attachment, way)) === undefined

export const hangUpFormAtOnce = step({
  name: 'hang up a form at once',
  choices: fc.record({ replica: replicas, message: anyOne, form: heldForms, share: shares }),
  isPossible: ({ openMessages, attachments }) => openMessages.length > 0 && attachments.length < 12,
  async take(model, run, { replica, message, form, share }) {
    const { upload, request } = planForm(model, run, replica, pick(model.openMessages, message).id, form)
    upload.isLost = true
    model.announce(upload)
    const sending = await run.send(replica, request)
    await sending.sendUpTo(Math.floor(share * (request.body.length - 6)))
    sending.hangUp('close')
  },
})
