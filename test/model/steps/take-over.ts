import fc from 'fast-check'
import { type Model, pick } from '../expected/model.ts'
import type { Upload } from '../expected/upload.ts'
import { giveUp } from './expire.ts'
import { beginPut } from './hold.ts'
import { planPut, refusalOf, wholeWays } from './put-plan.ts'
import { anyOne, replicas, shares, step } from './step.ts'

/** An upload is given up, and its client begins anew while the writer it had is still at work. */
export const takeOver = step({
  name: 'take over',
  choices: fc.record({ replica: replicas, which: anyOne, way: wholeWays, share: shares }),
  isPossible: (model) => givenUp(model).length > 0,
  async take(model, run, { replica, which, way, share }) {
    const upload = pick(givenUp(model), which)
    const [attachment] = upload.arriving
    if (attachment === undefined) return
    await giveUp(run, upload, attachment)
    const plan = planPut(attachment, way)
    if (refusalOf(attachment, plan) === undefined) await beginPut(model, run, { replica, attachment, plan, share })
  },
})

/** Requests of a single file, of which more than a byte is to come. */
function givenUp({ held }: Model): Upload[] {
  return held.filter(
    ({ arriving: [attachment], isLost, files }) =>
      attachment !== undefined && files.length === 1 && !isLost && attachment.contents[0].size > 1,
  )
}
