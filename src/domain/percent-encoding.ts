/**
 * Percent-encodes all but the unreserved characters (RFC 3986 section 2.3): also `! ' ( ) *`, which `encodeURIComponent` leaves,
 * and at which chats and mail programs end a pasted link.
 */
export function encodePathSegment(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, hex)
}

function hex(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}
