import { contentSha256 } from '../client/content.ts'
import type { Amount } from './contender.ts'
import type { Fixture } from './fixture.ts'

interface Metadata {
  attachmentId: number
  attachmentState: string
  fileChecksum: string
  fileSize: number
}

/** @throws unless every attachment that the answers name is Ready, with the right size and digest */
export async function checkReady(
  { uploadPath, cookie }: Fixture,
  url: string,
  { requests, fileBytes }: Amount,
  answers: string[],
): Promise<void> {
  const response = await fetch(url + uploadPath, { headers: { cookie }, signal: AbortSignal.timeout(30_000) })
  const { attachments } = (await response.json()) as { attachments: Metadata[] }
  const byId = new Map(attachments.map((attachment) => [attachment.attachmentId, attachment]))
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

/** A form is answered with the ids of its files, a raw body with its attachment. */
function idIn(answer: string): number {
  const { attachmentIds, attachmentId } = JSON.parse(answer)
  return attachmentId ?? attachmentIds[0]
}
