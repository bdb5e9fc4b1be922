import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import type { Attachment } from '../expected/attachment.ts'
import { type Model, pick } from '../expected/model.ts'
import { expectStatus, type Run } from '../real/run.ts'
import { adoptBegun, conclude, isRefusal } from './conclude.ts'
import { anyOne, replicas, step } from './step.ts'

/** Deletes whatever is there, bytes on their way or not; what is deleted already is not there. */
export const remove = step({
  name: 'delete',
  choices: fc.record({ replica: replicas, which: anyOne }),
  isPossible: ({ attachments }) => attachments.length > 0,
  async take(model, run, { replica, which }) {
    const attachment = pick([...model.attachments, ...model.held.flatMap(({ arriving }) => arriving)], which)
    await askToDelete(run, replica, attachment)
    if (!attachment.isDeleted) await noteDeletion(model, run, attachment)
  },
})

/** Both at the same moment, more or less: either the file was Ready before it was deleted, or it never became so. */
export const deleteWhileFinishing = step({
  name: 'delete while finishing',
  choices: fc.record({ replica: replicas, which: anyOne, file: anyOne, milliseconds: fc.nat(20) }),
  isPossible: ({ held }) => held.some(({ arriving, isLost }) => arriving.length > 0 && !isLost),
  async take(model, run, { replica, which, file, milliseconds }) {
    const upload = pick(
      model.held.filter(({ arriving, isLost }) => arriving.length > 0 && !isLost),
      which,
    )
    const attachment = pick(upload.arriving, file)
    const finishing = run.sending(upload).finish()
    await delay(milliseconds)
    await askToDelete(run, replica, attachment)
    const steps = await stepsOf(run, attachment)
    const answer = await finishing
    // Before Ready it may have been deleted anywhere on its way.
    if (answer.status !== 200) {
      upload.leaveOpen()
      softDelete(model, attachment, steps)
    }
    if (isRefusal(answer.status)) {
      await adoptBegun(model, run, upload)
      model.release(upload)
      upload.isLost = true
      upload.leaveOpen()
    } else {
      upload.isLost = false
      await conclude(model, run, upload, answer)
      softDelete(model, attachment, steps)
    }
  },
})

export const deleteMessage = step({
  name: 'delete a message',
  choices: fc.record({ replica: replicas, which: anyOne }),
  async take(model, run, { replica, which }) {
    const message = pick(model.messages, which)
    const status = await run.deleteMessage(replica, message.id)
    assert.equal(status, message.isDeleted ? 404 : 204, `The deletion of message ${message.id}`)
    message.isDeleted = true
    for (const upload of model.held) if (upload.messageId === message.id) upload.lose()
    for (const attachment of model.alive)
      if (attachment.messageId === message.id) await noteDeletion(model, run, attachment)
  },
})

async function askToDelete(run: Run, replica: number, attachment: Attachment): Promise<void> {
  const answer = run.ask(replica, 'DELETE', `/attachments/${attachment.id}`)
  await expectStatus(`The deletion of attachment ${attachment.id}`, answer, attachment.isDeleted ? 404 : 200)
}

/** From now on nothing happens to it. */
async function noteDeletion(model: Model, run: Run, attachment: Attachment): Promise<void> {
  softDelete(model, attachment, await stepsOf(run, attachment))
}

function softDelete(model: Model, attachment: Attachment, steps: number): void {
  attachment.stepsWhenDeleted = steps
  model.softDelete(attachment)
}

/** How many rows its history has. */
async function stepsOf(run: Run, { id }: Attachment): Promise<number> {
  return (await run.stage.db.execute(sql`select from transitions where attachment_id = ${id}`)).length
}
