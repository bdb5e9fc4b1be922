import assert from 'node:assert/strict'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { until } from '../../kit/until.ts'
import type { Attachment } from '../expected/attachment.ts'
import { type Model, pick } from '../expected/model.ts'
import { isPassing, type State } from '../expected/states.ts'
import type { Upload } from '../expected/upload.ts'
import type { Run } from '../real/run.ts'
import { adoptBegun, conclude } from './conclude.ts'
import { stateOf } from './state-of.ts'
import { anyOne, step } from './step.ts'

const atWork = ({ held }: Model) => held.filter(({ arriving, isLost }) => arriving.length > 0 && !isLost)

/** The lease of a writer that lives runs out: its upload is given up, and it must not succeed any more. */
export const expire = step({
  name: 'expire',
  choices: fc.record({ which: anyOne, file: anyOne }),
  isPossible: (model) => atWork(model).length > 0,
  async take(model, run, { which, file }) {
    const upload = pick(atWork(model), which)
    await giveUp(run, upload, pick(upload.arriving, file))
  },
})

export async function giveUp(run: Run, upload: Upload, attachment: Attachment): Promise<void> {
  upload.lose()
  await recovered(run, attachment)
}

/** The leases of dead writers run out, and what they were at comes to its end. */
export const recover = step({
  name: 'recover',
  choices: fc.record({ which: anyOne }),
  isPossible: (model) => orphans(model).length > 0,
  take: (model, run, { which }) => recovered(run, pick(orphans(model), which)),
})

const orphans = ({ alive }: Model) => alive.filter(({ isCertain, state }) => !isCertain && isPassing(state))

/** At the same moment, more or less: one of the two decides. */
export const expireWhileFinishing = step({
  name: 'expire while finishing',
  choices: fc.record({ which: anyOne, file: anyOne }),
  isPossible: (model) => atWork(model).length > 0,
  async take(model, run, { which, file }) {
    const upload = pick(atWork(model), which)
    const [answer] = await Promise.all([run.sending(upload).finish(), endLease(run, pick(upload.arriving, file))])
    if (answer.status === 200) return conclude(model, run, upload, answer)
    const { status } = upload.outcome
    assert.ok(
      [409, status].includes(answer.status ?? 0),
      `Given up while it was finished, it was answered: ${answer.body}`,
    )
    await adoptBegun(model, run, upload)
    model.release(upload)
    upload.leaveOpen()
  },
})

/** Again and again, as a writer that lives renews it. */
async function recovered(run: Run, attachment: Attachment): Promise<void> {
  const state = await until('the recovery has come round', async () => {
    await endLease(run, attachment)
    const found = await stateOf(run, attachment)
    return found !== undefined && !isPassing(found) && found
  })
  attachment.see(state as State)
}

async function endLease({ stage: { db } }: Run, { id }: Attachment): Promise<void> {
  await db.execute(sql`
    update attachments set lease_expires_at = now() - interval '1 second'
    where id = ${id} and lease_expires_at is not null`)
}
