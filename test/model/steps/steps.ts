import fc from 'fast-check'
import { change, rename } from './change.ts'
import { crash, crashWhileFinishing } from './crash.ts'
import { deleteMessage, deleteWhileFinishing, remove } from './delete.ts'
import { dieAtForm, dieAtPut } from './die.ts'
import { downloadAny } from './download.ts'
import { expire, expireWhileFinishing, recover } from './expire.ts'
import { finish } from './finish.ts'
import { form } from './form.ts'
import { hangUp, hangUpAtOnce, hangUpFormAtOnce } from './hang-up.ts'
import { holdForm, holdPut, sendMore } from './hold.ts'
import { put } from './put.ts'
import { racingPuts } from './race.ts'
import { reserve } from './reserve.ts'
import type { AnyStep } from './step.ts'
import { takeOver } from './take-over.ts'

const weighted: [weight: number, arbitrary: fc.Arbitrary<AnyStep>][] = [
  [11, reserve],
  [7, change],
  [2, rename],
  [7, put],
  [4, racingPuts],
  [5, form],
  [12, holdPut],
  [10, holdForm],
  [3, sendMore],
  [14, finish],
  [4, hangUp],
  [2, hangUpAtOnce],
  [1, hangUpFormAtOnce],
  [5, remove],
  [10, deleteWhileFinishing],
  [1, deleteMessage],
  [6, expire],
  [5, takeOver],
  [6, recover],
  [7, expireWhileFinishing],
  [1, crash],
  [1, crashWhileFinishing],
  [1, fc.oneof(dieAtForm, dieAtPut)],
  [4, downloadAny],
]

/** Any step; those that cost a second, because a server has to start again, are rare. */
export const anyStep: fc.Arbitrary<AnyStep> = fc.oneof(
  ...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })),
)
