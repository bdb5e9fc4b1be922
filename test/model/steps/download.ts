import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Attachment } from '../expected/attachment.ts'
import { bytesOf, type Content } from '../expected/content.ts'
import { type Model, pick } from '../expected/model.ts'
import { ready } from '../expected/states.ts'
import type { Run } from '../real/run.ts'
import { anyOne, replicas, step } from './step.ts'

const targets = ({ certain, attachments }: Model) => [
  ...certain.filter(({ state }) => state === ready),
  ...certain,
  ...attachments.filter(({ isDeleted }) => isDeleted),
]

/** The bytes of a Ready attachment, to the last one, and of no other. */
export const downloadAny = step({
  name: 'download',
  choices: fc.record({ replica: replicas, which: anyOne, isRightName: fc.constantFrom(true, true, true, false) }),
  isPossible: (model) => targets(model).length > 0,
  take: (model, run, { replica, which, isRightName }) =>
    download(run, replica, pick(targets(model), which), isRightName),
})

export async function download(run: Run, replica: number, attachment: Attachment, isRightName = true): Promise<void> {
  const { id, fileName, state, isDeleted, arriving } = attachment
  const name = encodeURIComponent(isRightName ? fileName : `${fileName.slice(0, 20)}!`)
  const response = await run.ask(replica, 'GET', `/attachments/${id}/${name}`)
  const bytes = Buffer.from(await response.arrayBuffer())
  const isThere = state === ready && !isDeleted && isRightName
  assert.equal(response.status, isThere ? 200 : 404, `A download of attachment ${id}, which is ${state}`)
  if (isThere) assert.ok(bytes.equals(bytesOf(arriving as Content)), `The bytes of attachment ${id} are what was sent`)
}
