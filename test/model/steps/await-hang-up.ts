import { until } from '../../kit/until.ts'
import type { Model } from '../expected/model.ts'
import { isPassing } from '../expected/states.ts'
import type { Upload } from '../expected/upload.ts'
import type { Run } from '../real/run.ts'
import { adoptBegun } from './conclude.ts'
import { stateOf } from './state-of.ts'

/** Resolves when the server has noticed that a client has hung up. */
export async function hungUp(model: Model, run: Run, upload: Upload): Promise<void> {
  await adoptBegun(model, run, upload)
  model.release(upload)
  for (const attachment of upload.arriving)
    await until('what was hung up has failed', async () => {
      const state = await stateOf(run, attachment)
      return state === undefined || !isPassing(state)
    })
  upload.fail()
}
