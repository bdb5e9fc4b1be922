import type { IncomingHttpHeaders } from 'node:http'
import type { ByteRange } from '#store/object-store.ts'

/** What conditions are compared with. */
export interface Validators {
  /** Strong, with its quotes. */
  etag: string
  lastModified: Date
}

export type Outcome = 'proceed' | 'not_modified' | 'precondition_failed'

/** Evaluates a GET or HEAD's preconditions in the order of RFC 9110 section 13.2.2. */
export function evaluateConditions(headers: IncomingHttpHeaders, validators: Validators): Outcome {
  const ifMatch = headers['if-match']
  const ifUnmodifiedSince = dateOf(headers['if-unmodified-since'])
  if (ifMatch !== undefined) {
    if (!listed(ifMatch, validators.etag, false)) return 'precondition_failed'
  } else if (ifUnmodifiedSince !== undefined && seconds(validators.lastModified) > seconds(ifUnmodifiedSince)) {
    return 'precondition_failed'
  }
  const ifNoneMatch = headers['if-none-match']
  const ifModifiedSince = dateOf(headers['if-modified-since'])
  if (ifNoneMatch !== undefined) {
    if (listed(ifNoneMatch, validators.etag, true)) return 'not_modified'
  } else if (ifModifiedSince !== undefined && seconds(validators.lastModified) <= seconds(ifModifiedSince)) {
    return 'not_modified'
  }
  return 'proceed'
}

/**
 * The range that is asked for (RFC 9110 section 14), or `undefined` for the whole: also when there are several ranges, or
 * when they cannot be read, or `If-Range` names another representation.
 */
export function rangeOf(
  headers: IncomingHttpHeaders,
  size: number,
  validators: Validators,
): ByteRange | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/i.exec(headers.range?.trim() ?? '') ?? []
  if ((from === '' && to === '') || !ifRangeHolds(headers['if-range'], validators)) return undefined
  return from === '' ? suffix(Number(to), size) : between(Number(from), to === '' ? Infinity : Number(to), size)
}

/** The last `length` bytes, or all when there are fewer; of an empty file the whole, since no range can name it. */
function suffix(length: number, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (length === 0) return 'unsatisfiable'
  return size === 0 ? undefined : { first: Math.max(0, size - length), last: size - 1 }
}

function between(first: number, last: number, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (first > last) return undefined
  return first < size ? { first, last: Math.min(last, size - 1) } : 'unsatisfiable'
}

/** Section 13.1.5: only a strong match of the tag, or exactly the date. */
function ifRangeHolds(header: string | string[] | undefined, { etag, lastModified }: Validators): boolean {
  const value = [header].flat()[0]
  if (value === undefined) return true
  const date = value.includes('"') ? undefined : dateOf(value)
  return date ? seconds(date) === seconds(lastModified) : value.trim() === etag
}

/** Section 8.8.3.2: weak comparison takes `W/"x"` for `"x"`, strong comparison does not. */
function listed(header: string, etag: string, weakly: boolean): boolean {
  if (header.trim() === '*') return true
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.some((tag) => (weakly ? tag.replace(/^W\//, '') : tag) === etag)
}

/** The three forms of an HTTP-date (section 5.6.7). What `Date` reads besides them is no date here. */
const httpDate =
  /^(\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT|\w{6,9}, \d\d-\w{3}-\d\d [\d:]{8} GMT|\w{3} \w{3} [ \d]\d [\d:]{8} \d{4})$/

function dateOf(header: string | undefined): Date | undefined {
  if (header === undefined || !httpDate.test(header)) return undefined
  // The oldest form names no time zone and means GMT like the others.
  const date = new Date(header.endsWith('GMT') ? header : `${header} GMT`)
  // `Date` takes the 31st of February for the 3rd of March. The day is the first number in each form.
  const [day] = /\d+/.exec(header) ?? []
  return date.getUTCDate() === Number(day) ? date : undefined
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
