import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { StowageError } from '#domain/errors.ts'
import { evaluateConditions, rangeOf, type Validators } from '#downloads/conditions.ts'
import { openDownload, type ReadyAttachment } from '#downloads/download.ts'
import {
  defenceHeaders,
  type Embeddable,
  representationHeaders,
  sentSize,
  validatorHeaders,
} from '#downloads/file-headers.ts'
import type { FoundAttachment } from '#persistence/queries.ts'
import type { HttpContext } from './http-context.ts'
import { sendBytes } from './send-bytes.ts'

/**
 * Responds to GET and HEAD with the bytes of an attachment, in the order of RFC 9110: conditions, then range, then bytes. Every
 * route that serves bytes uses this function.
 * @throws StowageError `precondition_failed`, `range_not_satisfiable`, `busy`, `rate_limited`, `storage_unavailable`
 */
export async function sendFile(
  context: HttpContext,
  request: FastifyRequest,
  reply: FastifyReply,
  attachment: ReadyAttachment<FoundAttachment>,
  { embeddable }: { embeddable: Embeddable },
): Promise<FastifyReply> {
  const { fileSize, fileChecksum, modifiedAt } = attachment
  const validators: Validators = { etag: `"${fileChecksum}"`, lastModified: modifiedAt }
  const outcome = evaluateConditions(request.headers, validators)
  if (outcome === 'precondition_failed')
    throw new StowageError(
      'precondition_failed',
      'The file has changed since, or is another one than If-Match names. Read its metadata again.',
    )
  if (outcome === 'not_modified') return reply.code(304).headers(validatorHeaders(validators)).send()

  // A range is defined for GET, not for HEAD (RFC 9110 section 14.2).
  const range = request.method === 'GET' ? rangeOf(request.headers, fileSize, validators) : undefined
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${fileSize}`)
    throw new StowageError('range_not_satisfiable', `The file has ${fileSize} bytes. Ask for a range within.`)
  }
  const status = range ? 206 : 200
  const headers = {
    ...validatorHeaders(validators),
    ...representationHeaders(attachment, range),
    ...defenceHeaders(embeddable),
  }
  // The responses to HEAD and for an empty file have no body, so the store is not read.
  if (request.method === 'HEAD' || fileSize === 0) return reply.code(status).headers(headers).send()
  const closed = closeSignalOf(reply.raw)
  const slot = context.takeDownloadSlot(...ownersOf(request, attachment))
  if (closed.aborted) slot[Symbol.dispose]()
  else closed.addEventListener('abort', () => slot[Symbol.dispose]())
  try {
    const body = await openDownload(context, attachment, range, closed)
    await sendBytes(reply, { status, headers, body, size: sentSize(attachment, range) })
    return reply
  } catch (cause) {
    throw closed.aborted ? new StowageError('invalid', 'The client left before the first byte.', { cause }) : cause
  }
}

/** The owners of the download slot. A signed link names no user, so the file and its uploader own the slot. */
function ownersOf({ principal }: FastifyRequest, { id, uploaderId }: FoundAttachment): string[] {
  return principal ? [`user:${principal.userId}`] : [`attachment:${id}`, `uploader:${uploaderId}`]
}

/** An explicit reason. Without one, each abort constructs an AbortError with a stack trace. */
const responseClosed = 'The client has gone, or has got everything.'

function closeSignalOf(response: ServerResponse): AbortSignal {
  const closed = new AbortController()
  response.once('close', () => closed.abort(responseClosed))
  if (response.destroyed) closed.abort(responseClosed)
  return closed.signal
}
