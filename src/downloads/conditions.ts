import type { IncomingHttpHeaders } from 'node:http'
import type { ByteRange } from '#store/object-store.ts'

/** The validators of a file (RFC 9110 section 8.8), which conditions are compared with. */
export interface Validators {
  /** A strong entity tag, with its quotes. */
  etag: string
  lastModified: Date
}

export type Outcome = 'proceed' | 'not_modified' | 'precondition_failed'

/** Evaluates the preconditions of a GET or HEAD in the order of RFC 9110 section 13.2.2. */
export function evaluateConditions(headers: IncomingHttpHeaders, validators: Validators): Outcome {
  const ifMatch = headers['if-match']
  const ifUnmodifiedSince = dateOf(headers['if-unmodified-since'])
  if (ifMatch !== undefined) {
    if (!includesTag(ifMatch, validators.etag, false)) return 'precondition_failed'
  } else if (ifUnmodifiedSince !== undefined && seconds(validators.lastModified) > seconds(ifUnmodifiedSince)) {
    return 'precondition_failed'
  }
  const ifNoneMatch = headers['if-none-match']
  const ifModifiedSince = dateOf(headers['if-modified-since'])
  if (ifNoneMatch !== undefined) {
    if (includesTag(ifNoneMatch, validators.etag, true)) return 'not_modified'
  } else if (ifModifiedSince !== undefined && seconds(validators.lastModified) <= seconds(ifModifiedSince)) {
    return 'not_modified'
  }
  return 'proceed'
}

/**
 * The requested range (RFC 9110 section 14). `undefined` stands for the whole file: without a `Range`, with several ranges,
 * with an unreadable one, and when `If-Range` names another representation.
 */
export function rangeOf(
  headers: IncomingHttpHeaders,
  size: number,
  validators: Validators,
): ByteRange | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/i.exec(headers.range?.trim() ?? '') ?? []
  if ((from === '' && to === '') || !ifRangeHolds(headers['if-range'], validators)) return undefined
  return from === ''
    ? suffixRange(Number(to), size)
    : boundedRange(Number(from), to === '' ? Infinity : Number(to), size)
}

/** The last `length` bytes, or the whole file when it is shorter. An empty file is sent whole, since no range can name it. */
function suffixRange(length: number, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (length === 0) return 'unsatisfiable'
  return size === 0 ? undefined : { first: Math.max(0, size - length), last: size - 1 }
}

function boundedRange(first: number, last: number, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (first > last) return undefined
  return first < size ? { first, last: Math.min(last, size - 1) } : 'unsatisfiable'
}

/** RFC 9110 section 13.1.5: the entity tag must match strongly, or the date exactly. */
function ifRangeHolds(header: string | string[] | undefined, { etag, lastModified }: Validators): boolean {
  const value = [header].flat()[0]
  if (value === undefined) return true
  const date = value.includes('"') ? undefined : dateOf(value)
  return date ? seconds(date) === seconds(lastModified) : value.trim() === etag
}

/** RFC 9110 section 8.8.3.2: `W/"x"` equals `"x"` in weak comparison only. */
function includesTag(header: string, etag: string, isWeak: boolean): boolean {
  if (header.trim() === '*') return true
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.some((tag) => (isWeak ? tag.replace(/^W\//, '') : tag) === etag)
}

/** The three forms of an HTTP-date (RFC 9110 section 5.6.7). `Date` accepts further formats, which are rejected here. */
const httpDate =
  /^(\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT|\w{6,9}, \d\d-\w{3}-\d\d [\d:]{8} GMT|\w{3} \w{3} [ \d]\d [\d:]{8} \d{4})$/

function dateOf(header: string | undefined): Date | undefined {
  if (header === undefined || !httpDate.test(header)) return undefined
  // The asctime form names no time zone and means GMT, as the others do.
  const date = new Date(header.endsWith('GMT') ? header : `${header} GMT`)
  // `Date` turns 31 February into 3 March, so the day is compared. The day is the first number in each form.
  const [day] = /\d+/.exec(header) ?? []
  return date.getUTCDate() === Number(day) ? date : undefined
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
