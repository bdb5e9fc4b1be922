import assert from 'node:assert/strict'
import { sql } from 'drizzle-orm'
import type { Attachment } from '../expected/attachment.ts'
import type { Model } from '../expected/model.ts'
import { initial, moves, ready, type State, uploading } from '../expected/states.ts'
import type { Upload } from '../expected/upload.ts'
import type { Stage } from '../real/stage.ts'

/** A row of history. */
interface Step extends Record<string, unknown> {
  attachment_id: string
  attempt: number
  from: State | null
  to: State
}

/** A row of `attachments`. */
interface Row extends Record<string, unknown> {
  id: string
  message_id: string
  state: State
  attempt: number
  deleted: boolean
}

/** Every history is a legal chain, and the one that the steps of the run have made. */
export async function historiesAreLegal(model: Model, { db }: Stage): Promise<void> {
  const rows = await db.execute<Row>(sql`
    select id, message_id, state, attempt, deleted_at is not null as deleted from attachments
    where room_id = ${model.roomId} order by id`)
  const steps = await db.execute<Step>(sql`
    select t.attachment_id, t.attempt, t."from", t."to" from transitions t join attachments a on a.id = t.attachment_id
    where a.room_id = ${model.roomId} order by t.id`)
  for (const row of rows) {
    const history = steps.filter((step) => step.attachment_id === row.id)
    isLegal(row, history)
    const attachment = model.attachments.find(({ id }) => id === Number(row.id))
    if (attachment) isAsExpected(attachment, row, history)
    else assert.ok(row.deleted, `Nobody has uploaded attachment ${row.id}, which is ${row.state}`)
  }
  for (const upload of model.forms) isAllOrNone(upload, steps)
  const ids = new Set(rows.map(({ id }) => Number(id)))
  for (const { id } of model.attachments) assert.ok(ids.has(id), `Attachment ${id} has lost its row`)
}

function isLegal(row: Row, history: readonly Step[]): void {
  const chain = history.map(({ from, to, attempt }) => `${from} → ${to} (${attempt})`).join(', ')
  let state: State | null = null
  let attempt = 0
  for (const step of history) {
    assert.equal(step.from, state, `Attachment ${row.id}: a chain without gaps: ${chain}`)
    const isEdge = state === null ? step.to === initial : moves[state].includes(step.to)
    assert.ok(isEdge, `Attachment ${row.id}: only legal moves: ${chain}`)
    if (step.to === uploading) attempt += 1
    assert.equal(step.attempt, attempt, `Attachment ${row.id}: every attempt by its number: ${chain}`)
    state = step.to
  }
  assert.deepEqual(
    [row.state, row.attempt],
    [state, attempt],
    `Attachment ${row.id} is where its history ends: ${chain}`,
  )
}

/** The files of one request, deleted ones too, have become Ready together or not at all. */
function isAllOrNone({ files }: Upload, steps: readonly Step[]): void {
  const ids = files.map(({ attachment }) => String(attachment?.id))
  const became = steps.filter((step) => step.to === ready && step.attempt === 1 && ids.includes(step.attachment_id))
  const isAll = became.length === files.length
  assert.ok(became.length === 0 || isAll, `Of attachments ${ids.join(', ')} became Ready: ${JSON.stringify(became)}`)
}

/** Of a deleted one, what was still open when it was deleted has remained unknown. */
function isAsExpected(attachment: Attachment, row: Row, history: readonly Step[]): void {
  const states = history.map(({ to }) => to)
  const what = `The history of attachment ${row.id}`
  assert.equal(row.deleted, attachment.isDeleted, `Attachment ${row.id} is deleted`)
  if (attachment.isDeleted) assert.equal(states.length, attachment.stepsWhenDeleted, `${what} ends with its deletion`)
  const known = attachment.isCertain ? states : states.slice(0, attachment.history.length)
  assert.deepEqual(known, attachment.history, what)
}
