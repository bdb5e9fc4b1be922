import { encodePathSegment } from '#domain/percent-encoding.ts'

/**
 * `attachment` with the name twice: `filename` in printable ASCII for old clients, `filename*` in full (RFC 6266, 8187).
 * Quotes, backslashes and percent signs leave the first, because clients disagree on how to read them there.
 */
export function contentDisposition(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\%]/gu, '_')
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encodePathSegment(fileName)}`
}
