import { contentSha256 } from '../client/content.ts'
import type { Fixture } from '../stage.ts'
import type { Amount } from './contender.ts'
import { uploadPathOf } from './fixture.ts'

interface Metadata {
  attachmentId: number
  attachmentState: string
  fileChecksum: string
  fileSize: number
}

/** @throws unless every attachment that the answers name is Ready, with the right size and digest */
export async function checkReady(
  fixture: Fixture,
  url: string,
  { requests, fileBytes }: Amount,
  answers: string[],
): Promise<void> {
  const byId = new Map<number, Metadata>()
  for await (const attachment of attachmentsOf(fixture, url)) byId.set(attachment.attachmentId, attachment)
  const ids = new Set(answers.map(idIn))
  if (ids.size !== requests) throw new Error(`${requests} uploads were answered with ${ids.size} different ids`)
  const sha256 = contentSha256(fileBytes)
  for (const id of ids) {
    const { attachmentState, fileSize, fileChecksum } = byId.get(id) ?? {}
    const isRight = fileSize === fileBytes && fileChecksum === sha256
    if (attachmentState !== 'ReadyForDownloadFromServerToClient' || !isRight)
      throw new Error(`Attachment ${id} is not what was uploaded: ${JSON.stringify(byId.get(id))}`)
  }
}

/** All attachments of the messages. */
async function* attachmentsOf({ messageIds, cookie }: Fixture, url: string): AsyncGenerator<Metadata> {
  for (const id of messageIds) yield* attachmentsAt(url + uploadPathOf(id), cookie)
}

/** All attachments of a message, which are told in pages. */
async function* attachmentsAt(path: string, cookie: string): AsyncGenerator<Metadata> {
  for (let after = 0, hasMore = true; hasMore; ) {
    const page = `${path}?after=${after}`
    const response = await fetch(page, { headers: { cookie }, signal: AbortSignal.timeout(30_000) })
    const answer = (await response.json()) as { attachments: Metadata[]; hasMore?: true }
    yield* answer.attachments
    after = answer.attachments.at(-1)?.attachmentId ?? after
    hasMore = answer.hasMore === true
  }
}

/** A form is answered with the ids of its files, a raw body with its attachment. */
function idIn(answer: string): number {
  const { attachmentIds, attachmentId } = JSON.parse(answer)
  return attachmentId ?? attachmentIds[0]
}
