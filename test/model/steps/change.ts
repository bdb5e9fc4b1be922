import fc from 'fast-check'
import type { Attachment } from '../expected/attachment.ts'
import { sha256Of } from '../expected/content.ts'
import { type Model, pick } from '../expected/model.ts'
import { illegalNames, isLegal, kept, legalNames } from '../expected/names.ts'
import { hashFailed, hashing, moves, ready, type State, uploading } from '../expected/states.ts'
import { expectStatus, type Run } from '../real/run.ts'
import { anyOne, replicas, step } from './step.ts'

interface Change {
  attachmentState?: State | undefined
  fileChecksum?: string | undefined
  fileName?: string | undefined
}

const changeable = ({ certain, attachments }: Model) => [
  ...certain,
  ...attachments.filter(({ isDeleted }) => isDeleted),
]

/** Tells where the client is with its checksum, what that is, another name, or several of them at once. */
export const change = step({
  name: 'change',
  choices: fc.record({
    replica: replicas,
    which: anyOne,
    state: fc.constantFrom(undefined, hashing, hashing, hashFailed, hashFailed, uploading, ready),
    checksum: fc.constantFrom(undefined, undefined, 0, 1),
    name: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: legalNames }),
  }),
  isPossible: (model, { state, checksum, name }) =>
    changeable(model).length > 0 && (state ?? checksum ?? name) !== undefined,
  async take(model, run, { replica, which, state, checksum, name }) {
    const attachment = pick(changeable(model), which)
    const fileChecksum = checksum === undefined ? undefined : sha256Of(attachment.contents[checksum])
    await patch(run, replica, attachment, { attachmentState: state, fileChecksum, fileName: name })
  },
})

export const rename = step({
  name: 'rename',
  choices: fc.record({
    replica: replicas,
    which: anyOne,
    fileName: fc.oneof({ weight: 3, arbitrary: legalNames }, { weight: 1, arbitrary: illegalNames }),
  }),
  isPossible: (model) => changeable(model).length > 0,
  take: (model, run, { replica, which, fileName }) => patch(run, replica, pick(changeable(model), which), { fileName }),
})

async function patch(run: Run, replica: number, attachment: Attachment, wanted: Change): Promise<void> {
  const { attachmentState, fileChecksum, fileName } = wanted
  const status = statusOf(attachment, wanted)
  await expectStatus(
    `${JSON.stringify(wanted)} of attachment ${attachment.id}, which is ${attachment.state},`,
    run.ask(replica, 'PATCH', `/attachments/${attachment.id}`, wanted),
    status,
  )
  if (status !== 200) return
  if (attachmentState !== undefined) attachment.moveTo(attachmentState)
  if (fileChecksum !== undefined) attachment.declared.checksum = fileChecksum
  if (fileName !== undefined) attachment.fileName = kept(fileName)
}

function statusOf(attachment: Attachment, { attachmentState: to, fileChecksum, fileName }: Change): number {
  if (to === uploading || to === ready) return 400
  if (attachment.isDeleted) return 404
  if (fileName !== undefined && !isLegal(fileName)) return 400
  if (to !== undefined) return moves[attachment.state].includes(to) ? 200 : 409
  return fileChecksum === undefined || attachment.awaitsBytes ? 200 : 409
}
