import { encodePathSegment } from '#domain/percent-encoding.ts'

/** Types that browsers show without running anything. HTML, SVG and XML can hold scripts. */
const shownTypes: ReadonlySet<string> = new Set([
  ...['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'],
  ...['video/mp4', 'video/webm', 'video/ogg'],
  ...['audio/mpeg', 'audio/mp4', 'audio/ogg', 'audio/webm', 'audio/wav', 'audio/wave', 'audio/x-wav', 'audio/vnd.wave'],
  ...['application/ogg', 'application/pdf', 'text/plain'],
])

/**
 * The `Content-Type` a file is sent with: the one it claims, if browsers only ever show that; else bytes without a meaning. A
 * page whose policy is `script-src 'self'` would run an uploaded `text/javascript`, and apply a `text/css`, as its own.
 */
export function sentType(claimed: string): string {
  const [essence = ''] = claimed.split(';', 1)
  return shownTypes.has(essence.trim().toLowerCase()) ? claimed : 'application/octet-stream'
}

/**
 * `attachment` with the name twice: `filename` in printable ASCII for old clients, `filename*` in full (RFC 6266, 8187).
 * Quotes, backslashes and percent signs leave the first, because clients disagree on how to read them there.
 */
export function contentDisposition(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\%]/gu, '_')
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encodePathSegment(fileName)}`
}
