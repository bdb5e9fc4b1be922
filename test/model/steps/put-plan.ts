import fc from 'fast-check'
import type { Attachment } from '../expected/attachment.ts'
import { bytesOf, type Content, otherThan, sha256Of } from '../expected/content.ts'
import type { Model } from '../expected/model.ts'
import { ready } from '../expected/states.ts'
import { Upload } from '../expected/upload.ts'
import { putRequest } from '../real/requests.ts'
import type { Run } from '../real/run.ts'
import type { RawRequest, Sending } from '../real/sending.ts'

/** How a client sends the bytes of an attachment that is there. */
export interface Way {
  /** Which of the attachment's two contents. */
  content: 0 | 1
  /** Bytes more or fewer than that. */
  more: -1 | 0 | 1
  /** Whether `Repr-Digest` comes along, and of what. */
  digest: 'none' | 'of what is sent' | 'of the other content'
}

const mostlyNone = fc.constantFrom('none' as const, 'none' as const, 'of what is sent', 'of the other content')

export const wholeWays: fc.Arbitrary<Way> = fc.record({
  content: fc.constantFrom(0 as const, 0 as const, 1 as const),
  more: fc.oneof({ weight: 8, arbitrary: fc.constant(0 as const) }, fc.constantFrom(-1 as const, 1 as const)),
  digest: mostlyNone as fc.Arbitrary<Way['digest']>,
})

/** The bytes that are sent, and the digest beside them. */
export interface Plan {
  content: Content
  digest: string | undefined
}

export function planPut({ contents }: Attachment, { content: which, more, digest }: Way): Plan {
  const { offset, size } = contents[which]
  const content = { offset, size: Math.max(0, size + more) }
  if (digest === 'none') return { content, digest: undefined }
  return { content, digest: sha256Of(digest === 'of what is sent' ? content : otherThan(content)) }
}

/** The status of a `PUT` of which nothing is taken: it is refused, or brings what is there already. */
export function refusalOf(attachment: Attachment, { content, digest }: Plan): number | undefined {
  const { declared, isDeleted, awaitsBytes } = attachment
  if (isDeleted) return 404
  if (declared.size !== null && declared.size !== content.size) return 400
  if (digest !== undefined && declared.checksum !== null && declared.checksum !== digest) return 400
  if (awaitsBytes) return undefined
  const there = attachment.state === ready ? attachment.arriving : undefined
  if (there === undefined || there.size !== content.size || digest !== sha256Of(there)) return 409
  return digest === sha256Of(content) ? 200 : 422
}

export function putOf(run: Run, attachment: Attachment, { content, digest }: Plan): RawRequest {
  return putRequest(attachment, run.stage.cookie, { body: bytesOf(content), digest })
}

/** Begins to send it; no byte of the body is sent yet. */
export function openPut(run: Run, replica: number, attachment: Attachment, plan: Plan): Promise<Sending> {
  return run.send(replica, putOf(run, attachment, plan))
}

/** What the model is told of it once it has begun. */
export function putUpload(model: Model, replica: number, attachment: Attachment, { content, digest }: Plan): Upload {
  const { messageId, fileName, declared } = attachment
  const digests = [declared.checksum ?? [], digest ?? []].flat()
  const attempt = attachment.attempt + 1
  const file = { fileName, content, declared, digests, attachment, attempt }
  return new Upload(model.nextUpload(), { replica, messageId, files: [file] })
}
