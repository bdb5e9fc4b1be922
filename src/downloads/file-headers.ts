import { encodePathSegment } from '#domain/percent-encoding.ts'
import type { Attachment } from '#persistence/schema.ts'
import type { ByteRange } from '#store/object-store.ts'
import type { Validators } from './conditions.ts'
import type { ReadyAttachment } from './download.ts'

/** Media types that browsers display without running anything. HTML, SVG and XML are not among them: they can hold scripts. */
const displayableTypes: ReadonlySet<string> = new Set([
  ...['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'],
  ...['video/mp4', 'video/webm', 'video/ogg'],
  ...['audio/mpeg', 'audio/mp4', 'audio/ogg', 'audio/webm', 'audio/wav', 'audio/wave', 'audio/x-wav', 'audio/vnd.wave'],
  ...['application/ogg', 'application/pdf', 'text/plain'],
])

/**
 * The `Content-Type` of the response: the claimed type if browsers only display it, else `application/octet-stream`. A page
 * whose policy is `script-src 'self'` would run an uploaded `text/javascript`, and apply an uploaded `text/css`, as its own.
 */
export function sentType(claimed: string): string {
  const [essence = ''] = claimed.split(';', 1)
  return displayableTypes.has(essence.trim().toLowerCase()) ? claimed : 'application/octet-stream'
}

/**
 * `attachment` with the name twice: `filename` in printable ASCII for old clients, `filename*` in full (RFC 6266, RFC 8187).
 * `filename` has no quotes, backslashes or percent signs, because clients disagree on their meaning.
 */
export function contentDisposition(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\%]/gu, '_')
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encodePathSegment(fileName)}`
}

/** The headers that a 304 carries too. Caches keep the file but revalidate each use, so they stop serving a deleted file. */
export function validatorHeaders({ etag, lastModified }: Validators): Record<string, string> {
  return { etag, 'last-modified': lastModified.toUTCString(), 'cache-control': 'private, no-cache' }
}

/** The size of the response body in bytes. */
export function sentSize({ fileSize }: ReadyAttachment, range: ByteRange | undefined): number {
  return range ? range.last - range.first + 1 : fileSize
}

/** The headers that describe the file, whole or a range. */
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
    // RFC 9530 registers sha-256. It registers md5 as insecure, so md5 is not sent.
    ...(fileChecksumAlgorithm === 'sha256' && {
      'repr-digest': `sha-256=:${Buffer.from(fileChecksum, 'hex').toString('base64')}:`,
    }),
    ...(range && { 'content-range': `bytes ${range.first}-${range.last}/${fileSize}` }),
  }
}

/** The sites that may embed a file: the chat's own, or any site when a signed link is the permission. */
export type Embeddable = 'same-site' | 'cross-origin'

/** The headers that keep an uploaded file from running as a page of this server. */
export function defenceHeaders(embeddable: Embeddable): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
    'cross-origin-resource-policy': embeddable,
  }
}
