import fc from 'fast-check'
import t from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { promisesHold } from './promises/end-of-run.ts'
import { beginRun, openStage } from './real/stage.ts'
import { replayOf, stepsOf, textOf } from './report.ts'
import { anyStep } from './steps/steps.ts'
import { TimeLimit } from './time-limit.ts'

/**
 * How many runs, and how many seconds they may take; for a failure to be repeated, MODEL_SEED, MODEL_PATH and MODEL_STEPS
 * as it names them.
 */
const { MODEL_RUNS = '40', MODEL_SECONDS = '60', MODEL_SEED, MODEL_PATH, MODEL_STEPS } = process.env

const mostSteps = 60
const secondsToShrink = 45
/** For the servers to start, and for a run that is under way to end. */
const secondsBeside = 60

t.setTimeout((Number(MODEL_SECONDS) + secondsToShrink + secondsBeside) * 1000)

t.test('whatever is done in whatever order, the server is where the model is', { skip: skipWithoutS3 }, async (t) => {
  const stage = await openStage(t)
  const limit = new TimeLimit(Number(MODEL_SECONDS))
  let runs = 0
  const property = fc.asyncProperty(
    fc.commands([anyStep], { maxCommands: mostSteps, size: 'max', ...(MODEL_STEPS && { replayPath: MODEL_STEPS }) }),
    async (steps) => {
      if (limit.isOver) return
      runs += 1
      const { model, run } = await beginRun(stage, runs)
      try {
        await fc.asyncModelRun(() => ({ model, real: run }), steps)
        await promisesHold(model, run)
      } catch (error) {
        limit.startOnce(secondsToShrink)
        throw error
      } finally {
        run.hangUpAll()
      }
    },
  )
  const details = await fc.check(property, {
    numRuns: Number(MODEL_RUNS),
    ...(MODEL_SEED && { seed: Number(MODEL_SEED) }),
    ...(MODEL_PATH && { path: MODEL_PATH }),
  })
  const taken = [...stage.counts].map(([name, count]) => `${count} × ${name}`)
  t.comment(`MODEL_SEED=${details.seed}: ${runs} runs, ${taken.join(', ')}`)
  if (details.failed) t.fail(replayOf(details), { found: textOf(details), steps: stepsOf(details) })
  else t.pass(`${runs} runs`)
})
