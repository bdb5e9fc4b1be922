import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { StowageError } from '#domain/errors.ts'
import { evaluateConditions, rangeOf, type Validators } from '#downloads/conditions.ts'
import { openDownload, type ReadyAttachment } from '#downloads/download.ts'
import { contentDisposition, sentType } from '#downloads/file-headers.ts'
import type { FoundAttachment } from '#persistence/queries.ts'
import type { ByteRange } from '#store/object-store.ts'
import type { HttpContext } from './http-context.ts'
import { sendBytes } from './send-bytes.ts'

export interface SendOptions {
  /** Which sites may embed the file: those of the chat, or, for a link that is its own permission, any. */
  embeddable: 'same-site' | 'cross-origin'
}

/**
 * Answers GET and HEAD with the bytes of an attachment as RFC 9110 says: conditions, then range, then bytes. Every route
 * that serves bytes answers here.
 * @throws StowageError `precondition_failed`, `range_not_satisfiable`, `busy`, `rate_limited`, `storage_unavailable`
 */
export async function sendFile(
  deps: HttpContext,
  request: FastifyRequest,
  reply: FastifyReply,
  attachment: ReadyAttachment<FoundAttachment>,
  { embeddable }: SendOptions,
): Promise<FastifyReply> {
  const validators: Validators = { etag: `"${attachment.fileChecksum}"`, lastModified: attachment.modifiedAt }
  const outcome = evaluateConditions(request.headers, validators)
  if (outcome === 'precondition_failed')
    throw new StowageError(
      'precondition_failed',
      'The file has changed since, or is another one than If-Match names. Read its metadata again.',
    )
  const always = {
    etag: validators.etag,
    'last-modified': validators.lastModified.toUTCString(),
    // Caches keep the file and ask each time, so that a deleted file is gone from there too.
    'cache-control': 'private, no-cache',
  }
  if (outcome === 'not_modified') return reply.code(304).headers(always).send()

  // Of the methods here, only GET has ranges (RFC 9110 section 14.2).
  const range = request.method === 'GET' ? rangeOf(request.headers, attachment.fileSize, validators) : undefined
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${attachment.fileSize}`)
    throw new StowageError(
      'range_not_satisfiable',
      `The file has ${attachment.fileSize} bytes. Ask for a range within.`,
    )
  }
  const status = range ? 206 : 200
  const headers = { ...always, ...representation(attachment, range), ...defences(embeddable) }
  // HEAD and an empty file need nothing from the store.
  if (request.method === 'HEAD' || attachment.fileSize === 0) return reply.code(status).headers(headers).send()
  const leaving = signalOfLeaving(reply.raw)
  const slot = deps.takeDownloadSlot(...ownersOf(request, attachment))
  if (leaving.aborted) slot[Symbol.dispose]()
  else leaving.addEventListener('abort', () => slot[Symbol.dispose]())
  try {
    const body = await openDownload(deps, attachment, range, leaving)
    await sendBytes(reply, { status, headers, body, size: sizeOf(attachment, range) })
    return reply
  } catch (cause) {
    throw leaving.aborted ? new StowageError('invalid', 'The client left before the first byte.', { cause }) : cause
  }
}

/** Whose slots a download takes: those of the user; by a link, which anybody may hold, those of the file and of its uploader. */
function ownersOf({ principal }: FastifyRequest, { id, uploaderId }: FoundAttachment): string[] {
  return principal ? [`user:${principal.userId}`] : [`attachment:${id}`, `uploader:${uploaderId}`]
}

/** A reason, because without one an AbortError with its stack is made at the end of every download. */
const isGone = 'The client has gone, or has got everything.'

function signalOfLeaving(response: ServerResponse): AbortSignal {
  const leaving = new AbortController()
  response.once('close', () => leaving.abort(isGone))
  if (response.destroyed) leaving.abort(isGone)
  return leaving.signal
}

/** Bytes of what is answered. */
function sizeOf({ fileSize }: ReadyAttachment, range: ByteRange | undefined): number {
  return range ? range.last - range.first + 1 : fileSize
}

function representation(attachment: ReadyAttachment, range: ByteRange | undefined): Record<string, string> {
  const { fileName, fileSize, contentType, fileChecksum, fileChecksumAlgorithm } = attachment
  return {
    'content-type': sentType(contentType),
    'content-length': String(sizeOf(attachment, range)),
    'content-disposition': contentDisposition(fileName),
    'accept-ranges': 'bytes',
    // RFC 9530 registers sha-256; md5 is registered as insecure and not sent.
    ...(fileChecksumAlgorithm === 'sha256' && {
      'repr-digest': `sha-256=:${Buffer.from(fileChecksum, 'hex').toString('base64')}:`,
    }),
    ...(range && { 'content-range': `bytes ${range.first}-${range.last}/${fileSize}` }),
  }
}

/** What a stranger wrote must not run as a page of ours. */
function defences(embeddable: SendOptions['embeddable']): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
    'cross-origin-resource-policy': embeddable,
  }
}
