import type { IncomingHttpHeaders } from 'node:http'
import type { Digest } from '#domain/digests.ts'
import { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'

const hexDigits = { sha256: 64, md5: 32 }

type Algorithm = keyof typeof hexDigits

/**
 * The digest that a client declares for a file, in lower-case hex.
 * @throws StowageError `invalid`, which names the field
 */
export function declaredChecksum(field: string, value: string, algorithm: Algorithm): string
export function declaredChecksum(field: string, value: string | undefined, algorithm: Algorithm): string | undefined
export function declaredChecksum(field: string, value: string | undefined, algorithm: Algorithm): string | undefined {
  if (value === undefined) return undefined
  const digits = hexDigits[algorithm]
  if (value.length !== digits || !/^[0-9a-f]+$/i.test(value))
    throw new StowageError('invalid', `The field "${field}" must be the file's ${algorithm} in ${digits} hex digits.`)
  return value.toLowerCase()
}

/**
 * The size in bytes that a client declares for a file.
 * @throws StowageError `invalid`, which names the field
 */
export function declaredSize(field: string, value: string): number {
  const size = Number(value)
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(size))
    throw new StowageError('invalid', `The field "${field}" must be the file's size in bytes, a whole number.`)
  return size
}

const fields = ['Repr-Digest', 'Content-Digest'] as const

// A structured dictionary (RFC 9651 section 3.2): a key, an item or true, and parameters, which are ignored.
const key = /[a-z*][a-z0-9_.*-]*/y
const item = /=(?:(:[A-Za-z0-9+/=]*:|"(?:[^"\\]|\\.)*"|[^\s:",;=()]+))/y
const parameter = /;[ ]*[a-z*][a-z0-9_.*-]*/y
const separator = /[ \t]*,[ \t]*/y

/**
 * The sha-256 that `Repr-Digest` or `Content-Digest` (RFC 9530) declares. Both mean the same for a body without
 * Content-Encoding. Other algorithms are ignored.
 * @throws StowageError `invalid` for a field that cannot be parsed, and for two that differ
 */
export function declaredDigests(headers: IncomingHttpHeaders): Digest[] {
  const declared = fields.flatMap((field) => sha256Of(field, headers[field.toLowerCase()]) ?? [])
  const [first] = declared
  if (first === undefined) return []
  if (declared.some((hex) => hex !== first))
    throw new StowageError('invalid', 'Repr-Digest and Content-Digest differ. Send one of them.')
  return [{ algorithm: 'sha256', hex: first }]
}

function sha256Of(field: string, value: string | string[] | undefined): string | undefined {
  if (value === undefined) return undefined
  const text = membersOf(field, [value].flat().join(', ')).get('sha-256')
  if (text === undefined) return undefined
  const base64 = /^:([A-Za-z0-9+/]{43})=?:$/.exec(text)?.[1]
  if (base64 === undefined) throw malformed(field)
  return Buffer.from(base64, 'base64').toString('hex')
}

/** Maps each key to its item as written. The last of several items of a key wins (RFC 9651 section 3.2). */
function membersOf(field: string, text: string): Map<string, string> {
  if (text.length > limits.text) throw malformed(field)
  const members = new Map<string, string>()
  let end = 0
  const take = (pattern: RegExp) => {
    pattern.lastIndex = end
    const found = pattern.exec(text)
    if (found) end = pattern.lastIndex
    return found
  }
  while (end < text.length) {
    const name = take(key)?.[0]
    if (name === undefined) throw malformed(field)
    members.set(name, take(item)?.[1] ?? '')
    while (take(parameter)) take(item)
    // A comma must be followed by another member, and a member by a comma or the end.
    if (take(separator) ? end === text.length : end < text.length) throw malformed(field)
  }
  return members
}

function malformed(field: string): StowageError {
  return new StowageError('invalid', `${field} must read sha-256=:…: with the digest of 32 bytes in base64 (RFC 9530).`)
}
