/**
 * `attachment` with the name twice: `filename` in printable ASCII for old clients, `filename*` in full (RFC 6266, 8187).
 * Quotes, backslashes and percent signs leave the first, because clients disagree on how to read them there.
 */
export function contentDisposition(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\%]/gu, '_')
  const extended = encodeURIComponent(fileName).replace(/['()*]/g, (character) => `%${hex(character)}`)
  return `attachment; filename="${ascii}"; filename*=UTF-8''${extended}`
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).toUpperCase()
}
