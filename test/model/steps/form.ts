import fc from 'fast-check'
import { pick } from '../expected/model.ts'
import { conclude } from './conclude.ts'
import { planForm, wholeForms } from './form-plan.ts'
import { anyOne, replicas, step } from './step.ts'

/** Sends one to three files at once: all of them become Ready or none. */
export const form = step({
  name: 'form',
  choices: fc.record({ replica: replicas, message: anyOne, form: wholeForms }),
  isPossible: ({ openMessages, attachments }) => openMessages.length > 0 && attachments.length < 12,
  async take(model, run, { replica, message, form }) {
    const { id } = pick(model.openMessages, message)
    const { upload, request } = planForm(model, run, replica, id, form)
    model.announce(upload)
    const answer = await (await run.send(replica, request)).finish()
    await conclude(model, run, upload, answer)
  },
})
