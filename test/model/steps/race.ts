import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Attachment } from '../expected/attachment.ts'
import { type Content, sha256Of } from '../expected/content.ts'
import { pick } from '../expected/model.ts'
import { ready } from '../expected/states.ts'
import { openPut } from './put-plan.ts'
import { anyOne, replicas, step } from './step.ts'

/** Two clients send the bytes of one attachment at once, not always the same bytes: exactly one of them wins. */
export const racingPuts = step({
  name: 'racing puts',
  choices: fc.record({ which: anyOne, one: replicas, other: replicas, contents: fc.tuple(anyOne, anyOne) }),
  isPossible: ({ awaiting }) => awaiting.some((attachment) => goodContents(attachment).length > 0),
  async take(model, run, { which, one, other, contents }) {
    const targets = model.awaiting.filter((attachment) => goodContents(attachment).length > 0)
    const attachment = pick(targets, which)
    const sent = contents.map((content) => pick(goodContents(attachment), content))
    const sendings = await Promise.all(
      [one, other].map((replica, index) =>
        openPut(run, replica, attachment, { content: sent[index] as Content, digest: undefined }),
      ),
    )
    const answers = await Promise.all(sendings.map((sending) => sending.finish()))
    const statuses = answers.map(({ status }) => status)
    assert.deepEqual(statuses.toSorted(), [200, 409], `Two PUTs at once: ${JSON.stringify(answers)}`)
    attachment.begin(sent[statuses.indexOf(200)] as Content)
    attachment.settle(ready)
  },
})

function goodContents({ declared, contents }: Attachment): Content[] {
  return contents.filter(
    (content) =>
      (declared.size === null || declared.size === content.size) &&
      (declared.checksum === null || declared.checksum === sha256Of(content)),
  )
}
