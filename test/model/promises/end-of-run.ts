import assert from 'node:assert/strict'
import { sql } from 'drizzle-orm'
import { until } from '../../kit/until.ts'
import type { Model } from '../expected/model.ts'
import { ready } from '../expected/states.ts'
import type { Run } from '../real/run.ts'
import { hungUp } from '../steps/await-hang-up.ts'
import { download } from '../steps/download.ts'
import { look, lookAtEach } from './api-view.ts'
import { nothingIsLeft, onlyReadyOnesHaveBytes } from './bucket.ts'
import { everyKeyHasARow } from './every-key-has-a-row.ts'
import { historiesAreLegal } from './histories.ts'

/** Everything comes to rest, and then every promise holds; at last all is deleted, and nothing is left of it. */
export async function promisesHold(model: Model, run: Run): Promise<void> {
  const { stage } = run
  for (const upload of [...model.held]) {
    run.sending(upload).hangUp('close')
    await hungUp(model, run, upload)
  }
  await nobodyHoldsALease(model, run)
  await look(model, run)
  await lookAtEach(model, run)
  for (const { id, state, isAtRest } of model.alive) assert.ok(isAtRest, `Attachment ${id} stays ${state}`)
  await historiesAreLegal(model, stage)
  for (const attachment of model.alive) if (attachment.state === ready) await download(run, 0, attachment)
  await onlyReadyOnesHaveBytes(model, stage)
  await everyKeyHasARow(stage)

  for (const { id } of model.openMessages) assert.equal(await run.deleteMessage(0, id), 204)
  await nothingIsLeft(model, stage)
}

/** The leases of writers that are dead are over now, which spares the time; what follows is the server's. */
async function nobodyHoldsALease({ roomId }: Model, { stage: { db } }: Run): Promise<void> {
  await until('nobody holds a lease', async () => {
    const leased = await db.execute(sql`
      update attachments set lease_expires_at = now() - interval '1 second'
      where room_id = ${roomId} and lease_expires_at is not null returning id`)
    return leased.length === 0
  })
}
