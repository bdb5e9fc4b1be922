import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Model, pick } from '../expected/model.ts'
import { conclude } from './conclude.ts'
import { openPut, planPut, putUpload, refusalOf, wholeWays } from './put-plan.ts'
import { anyOne, replicas, step } from './step.ts'

const targets = ({ awaiting, certain, attachments }: Model) => [
  ...awaiting,
  ...awaiting,
  ...certain,
  ...attachments.filter(({ isDeleted }) => isDeleted),
]

/** Sends all bytes at once, of whatever attachment. */
export const put = step({
  name: 'put',
  choices: fc.record({ replica: replicas, which: anyOne, way: wholeWays }),
  isPossible: (model) => targets(model).length > 0,
  async take(model, run, { replica, which, way }) {
    const attachment = pick(targets(model), which)
    const plan = planPut(attachment, way)
    const refusal = refusalOf(attachment, plan)
    const upload = putUpload(model, replica, attachment, plan)
    const answer = await (await openPut(run, replica, attachment, plan)).finish()
    if (refusal === undefined) {
      attachment.begin(plan.content)
      await conclude(model, run, upload, answer)
    } else assert.equal(answer.status, refusal, `A PUT of attachment ${attachment.id}: ${answer.body}`)
  },
})
