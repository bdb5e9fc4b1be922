import assert from 'node:assert/strict'
import { sql } from 'drizzle-orm'
import { until } from '../../kit/until.ts'
import type { Model } from '../expected/model.ts'
import { ready, type State } from '../expected/states.ts'
import type { Stage } from '../real/stage.ts'

/** A row of `objects`, with the attachment it belongs to. */
interface Row extends Record<string, unknown> {
  key: string
  attachment_id: string
  attempt: number
  latest: number
  state: State
  deleted: boolean
  purging: boolean
}

/** In the bucket lie the bytes of Ready attachments, under one key each, and nothing else of this run. */
export async function onlyReadyOnesHaveBytes(model: Model, stage: Stage): Promise<void> {
  const rows = await rowsOf(model, stage)
  for (const { key } of rows) assert.match(key, /^([0-9a-f]{2})\/\1[0-9a-f]{38}$/, 'No key tells a file name')
  const attempts = rows.map(({ attachment_id, attempt }) => `${attachment_id}, attempt ${attempt}`)
  assert.equal(new Set(attempts).size, attempts.length, `One key for an attempt: ${attempts.join('; ')}`)

  const good = rows.filter((row) => row.state === ready && !row.deleted && row.attempt === row.latest)
  for (const row of rows) assert.equal(row.purging, !good.includes(row), `To be purged: ${JSON.stringify(row)}`)
  const alive = model.alive.filter(({ state }) => state === ready).map(({ id }) => id)
  assert.deepEqual(good.map(({ attachment_id }) => Number(attachment_id)).toSorted(), alive.toSorted())
  await onlyThese(good, rows, stage)
}

/** After everything is deleted. */
export async function nothingIsLeft(model: Model, stage: Stage): Promise<void> {
  await onlyThese([], await rowsOf(model, stage), stage)
}

/** Waits for the purge; when it does not come so far, the assertion tells what is left. */
async function onlyThese(good: readonly Row[], all: readonly Row[], { bucket }: Stage): Promise<void> {
  const expected = good.map(({ key }) => key).toSorted()
  const ours = new Set(all.map(({ key }) => key))
  const remains = async () => {
    const { objects, uploads } = await bucket.remains()
    return {
      objects: objects.filter((key) => ours.has(key)).toSorted(),
      uploads: uploads.filter((key) => ours.has(key)),
    }
  }
  const isTidy = async () => {
    const { objects, uploads } = await remains()
    return objects.join() === expected.join() && uploads.length === 0
  }
  await until('the purge has come round', isTidy).catch(() => {})
  assert.deepEqual(
    await remains(),
    { objects: expected, uploads: [] },
    `Only these have bytes: ${JSON.stringify(good)}`,
  )
}

async function rowsOf({ roomId }: Model, { db }: Stage): Promise<Row[]> {
  return db.execute<Row>(sql`
    select o.key, o.attachment_id, o.attempt, a.attempt as latest, a.state, a.deleted_at is not null as deleted,
      o.purge_at is not null as purging
    from objects o join attachments a on a.id = o.attachment_id where a.room_id = ${roomId}`)
}
