/**
 * Percent-encodes all characters except the unreserved ones (RFC 3986 section 2.3). `encodeURIComponent` leaves
 * `! ' ( ) *`, and chat and mail programs end a pasted link at these characters.
 */
export function encodePathSegment(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, hex)
}

function hex(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}
