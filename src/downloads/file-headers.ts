import { encodePathSegment } from '#domain/percent-encoding.ts'
import type { Attachment } from '#persistence/schema.ts'
import type { ByteRange } from '#store/object-store.ts'
import type { Validators } from './conditions.ts'
import type { ReadyAttachment } from './download.ts'

/** Types that browsers show without running anything. HTML, SVG and XML can hold scripts. */
const shownTypes: ReadonlySet<string> = new Set([
  ...['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'],
  ...['video/mp4', 'video/webm', 'video/ogg'],
  ...['audio/mpeg', 'audio/mp4', 'audio/ogg', 'audio/webm', 'audio/wav', 'audio/wave', 'audio/x-wav', 'audio/vnd.wave'],
  ...['application/ogg', 'application/pdf', 'text/plain'],
])

/**
 * The `Content-Type` of the response: the claimed one, if browsers only ever show it; else bytes without a meaning. A
 * page whose policy is `script-src 'self'` would run an uploaded `text/javascript`, and apply a `text/css`, as its own.
 */
export function sentType(claimed: string): string {
  const [essence = ''] = claimed.split(';', 1)
  return shownTypes.has(essence.trim().toLowerCase()) ? claimed : 'application/octet-stream'
}

/**
 * `attachment` with the name twice: `filename` in printable ASCII for old clients, `filename*` in full (RFC 6266, 8187).
 * The first one has no quotes, backslashes and percent signs, because clients disagree on how to read them there.
 */
export function contentDisposition(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\%]/gu, '_')
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encodePathSegment(fileName)}`
}

/** The headers of a 304 too. Caches keep the file and ask each time, so that a deleted file is gone from there as well. */
export function validatorHeaders({ etag, lastModified }: Validators): Record<string, string> {
  return { etag, 'last-modified': lastModified.toUTCString(), 'cache-control': 'private, no-cache' }
}

/** Bytes of the response. */
export function sentSize({ fileSize }: ReadyAttachment, range: ByteRange | undefined): number {
  return range ? range.last - range.first + 1 : fileSize
}

/** The headers that describe the bytes, all of them or a range. */
export function representationHeaders(
  attachment: ReadyAttachment<Attachment>,
  range: ByteRange | undefined,
): Record<string, string> {
  const { fileName, fileSize, contentType, fileChecksum, fileChecksumAlgorithm } = attachment
  return {
    'content-type': sentType(contentType),
    'content-length': String(sentSize(attachment, range)),
    'content-disposition': contentDisposition(fileName),
    'accept-ranges': 'bytes',
    // RFC 9530 registers sha-256; md5 is registered as insecure and not sent.
    ...(fileChecksumAlgorithm === 'sha256' && {
      'repr-digest': `sha-256=:${Buffer.from(fileChecksum, 'hex').toString('base64')}:`,
    }),
    ...(range && { 'content-range': `bytes ${range.first}-${range.last}/${fileSize}` }),
  }
}

/** Which sites may embed a file: those of the chat, or, for a link that is its own permission, any. */
export type Embeddable = 'same-site' | 'cross-origin'

/** The headers that keep an uploaded file from running as a page of ours. */
export function defenceHeaders(embeddable: Embeddable): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
    'cross-origin-resource-policy': embeddable,
  }
}
