import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { type Model, pick } from '../expected/model.ts'
import type { Run } from '../real/run.ts'
import { conclude } from './conclude.ts'
import { anyOne, replicas, step } from './step.ts'

/** `kill -9` of a server. */
export const crash = step({
  name: 'crash',
  choices: fc.record({ replica: replicas }),
  take: (model, run, { replica }) => kill(model, run, replica),
})

/** `kill -9` just when the last bytes of a request arrive: whatever was acknowledged is kept. */
export const crashWhileFinishing = step({
  name: 'crash while finishing',
  choices: fc.record({ which: anyOne, milliseconds: fc.nat(30) }),
  isPossible: ({ held }) => held.length > 0,
  async take(model, run, { which, milliseconds }) {
    const upload = pick(model.held, which)
    const finishing = run.sending(upload).finish()
    await delay(milliseconds)
    model.release(upload)
    await kill(model, run, upload.replica)
    const answer = await finishing
    if (answer.status === undefined) upload.leaveOpen()
    else await conclude(model, run, upload, answer)
  },
})

async function kill(model: Model, run: Run, replica: number): Promise<void> {
  await run.stage.replicas.crash(replica)
  for (const upload of [...model.held]) {
    if (upload.replica !== replica) continue
    run.sending(upload).hangUp('close')
    model.release(upload)
    upload.lose()
  }
}
