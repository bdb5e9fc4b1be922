import fc from 'fast-check'
import { type Model, pick } from '../expected/model.ts'
import type { Upload } from '../expected/upload.ts'
import { conclude } from './conclude.ts'
import { anyOne, step } from './step.ts'

/** Sends the rest of a request that is held, whatever has happened meanwhile. */
export const finish = step({
  name: 'finish',
  choices: fc.record({ which: anyOne }),
  isPossible: ({ held }) => held.length > 0,
  async take(model, run, { which }) {
    const upload = pick(preferringLost(model), which)
    await conclude(model, run, upload, await run.sending(upload).finish())
  },
})

/** Whether a writer that has lost does no harm any more shows only before it notices. */
function preferringLost({ held }: Model): Upload[] {
  const lost = held.filter(({ isLost }) => isLost)
  return [...held, ...lost, ...lost, ...lost]
}
