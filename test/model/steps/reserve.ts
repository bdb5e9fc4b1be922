import fc from 'fast-check'
import { Attachment } from '../expected/attachment.ts'
import { contents, otherThan, sha256Of } from '../expected/content.ts'
import { pick } from '../expected/model.ts'
import { illegalNames, isLegal, kept, legalNames } from '../expected/names.ts'
import type { Seen } from '../promises/api-view.ts'
import { expectStatus } from '../real/run.ts'
import { anyOne, replicas, step } from './step.ts'

/** With more of them a run only gets slower. */
const most = 10

export const reserve = step({
  name: 'reserve',
  choices: fc.record({
    replica: replicas,
    message: anyOne,
    name: fc.oneof({ weight: 9, arbitrary: legalNames }, { weight: 1, arbitrary: illegalNames }),
    content: contents,
    checksum: fc.constantFrom('none', 'right', 'of the other content'),
  }),
  isPossible: ({ attachments }) => attachments.length < most,
  async take(model, run, { replica, message, name, content, checksum }) {
    const { id: messageId, isDeleted } = pick(model.messages, message)
    const other = otherThan(content)
    const fileChecksum = checksum === 'none' ? null : sha256Of(checksum === 'right' ? content : other)
    const declared = { size: content.size, checksum: fileChecksum }
    const answer = run.ask(replica, 'POST', '/attachments', {
      ...{ messageId, fileName: name, fileSize: content.size },
      ...(fileChecksum && { fileChecksum: fileChecksum.toUpperCase() }),
    })
    const status = isDeleted ? 404 : isLegal(name) ? 201 : 400
    const text = await expectStatus('A reservation', answer, status)
    if (status !== 201) return
    const { attachmentId: id } = JSON.parse(text) as Seen
    model.attachments.push(new Attachment({ id, messageId, fileName: kept(name) }, declared, [content, other]))
  },
})
