import {
  chunked,
  fieldHeaders,
  fieldPart,
  filePart,
  formOf,
  type Part,
  type RawBody,
  typeOf,
} from '../../kit/multipart.ts'
import type { Surface } from '../../kit/surfaces.ts'

/** A request that would keep the server busy, or fill its memory, if its lengths were not checked first. */
export interface Attack {
  what: string
  method?: string
  path?: string
  request: RawBody
  /** What it may be answered with. */
  statuses: number[]
}

const spaces = (count: number) => ' '.repeat(count)
const times = (count: number, part: Part) => Array.from({ length: count }, () => part)

/** A name whose marks have to be sorted: the time that takes is the square of their number. */
const accents = (count: number) => `a${'\u0301'.repeat(count)}${'\u0323'.repeat(count)}`

/** Forms that are meant to be costly to read. */
export function formAttacks(surface: Surface): Attack[] {
  const { fileField, sizeField } = surface
  const file = `Content-Disposition: form-data; name="${fileField}"; filename="a"`
  const field = fieldHeaders(sizeField)
  const heads = (headers: string, count = 100) => formOf(...times(count, { headers, body: 'x' }))
  const named = (name: string) => formOf(filePart(surface, 'x', name))
  const taken = [surface.created]
  return [
    {
      what: 'heads of spaces',
      request: heads(`Content-Disposition: form-data${spaces(16_250)}\r\n${file}`),
      statuses: [413],
    },
    { what: 'heads of spaces, each as long as allowed', request: heads(`${file}${spaces(1900)}x`), statuses: [400] },
    { what: 'heads of parameters', request: heads(`${file}${'; a="\\\\\\"'.repeat(180)}`), statuses: [400] },
    { what: 'heads of folded lines', request: heads(`${file}\r\nX: ${'\r\n '.repeat(600)}`, 1), statuses: taken },
    { what: 'a type of spaces', request: heads(`${file}\r\nContent-Type: text/${spaces(2000)}x`), statuses: [400] },
    {
      what: 'a boundary and spaces',
      request: { headers: typeOf(`B${spaces(15_000)}x`), body: heads(file).body },
      statuses: [415],
    },
    { what: 'accents in a name', request: named(accents(490)), statuses: [400] },
    { what: 'escapes in a name', request: named('%22'.repeat(600)), statuses: [400] },
    { what: 'backslashes in a name', request: named('\\'.repeat(1900)), statuses: [400] },
    {
      what: 'fields of 64 KiB',
      request: formOf(...times(100, fieldPart(sizeField, '['.repeat(65_536)))),
      statuses: [413],
    },
    {
      what: 'fields of 64 KiB in JSON',
      request: formOf(
        ...times(100, { headers: `${field}\r\nContent-Type: application/json`, body: '['.repeat(65_536) }),
      ),
      statuses: [413],
    },
    {
      what: 'fields of 1 KiB in JSON',
      request: formOf(...times(50, { headers: `${field}\r\nContent-Type: application/json`, body: '['.repeat(1024) })),
      statuses: [400],
    },
    { what: 'five thousand fields', request: heads(field, 5000), statuses: [413] },
    {
      what: 'five thousand inputs nobody filled',
      request: formOf(...times(5000, filePart(surface, '', ''))),
      statuses: [413],
    },
    {
      what: 'what is nearly a boundary',
      request: { headers: typeOf('b'.repeat(70)), body: nearlyBoundaries(file, 'b'.repeat(70)) },
      statuses: taken,
    },
    {
      what: 'a head byte by byte',
      request: chunked(heads(`${file}\r\nX: ${'x'.repeat(2000)}\r\nX: ${'x'.repeat(1500)}`, 1), 1),
      statuses: taken,
    },
    { what: 'a preamble', request: { headers: typeOf('b'), body: Buffer.alloc(2 ** 22, '\r') }, statuses: [413] },
  ]
}

function nearlyBoundaries(file: string, boundary: string): Buffer {
  const body = `\r\n--${boundary.slice(1)}`.repeat(10_000)
  return Buffer.from(`--${boundary}\r\n${file}\r\n\r\n${body}\r\n--${boundary}--\r\n`)
}

const json = (value: unknown): RawBody => ({
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
})

/** JSON bodies, and headers that are looked into. @param id of an attachment of the user */
export function otherAttacks(id: number): Attack[] {
  const announced = { messageId: 1, fileName: 'a', fileSize: 1 }
  const reserve = { path: '/api/v1/attachments', statuses: [400, 413] }
  const rename = { method: 'PATCH', path: `/api/v1/attachments/${id}`, statuses: [400, 413] }
  const withHeaders = (headers: Record<string, string>): RawBody => ({ headers, body: Buffer.alloc(0) })
  const read = (what: string, headers: Record<string, string>, ...statuses: number[]) => ({
    ...{ what, method: 'GET', path: `/api/v1/attachments/${id}/a.txt`, statuses },
    request: withHeaders(headers),
  })
  const asked = (what: string, path: string, ...statuses: number[]) => ({
    ...{ what, method: 'GET', path, statuses },
    request: withHeaders({}),
  })
  const long = 15_000
  return [
    { ...reserve, what: 'a type of spaces', request: json({ ...announced, contentType: `text/${spaces(64_000)}x` }) },
    {
      ...reserve,
      what: 'a type of spaces in 16 KiB',
      request: json({ ...announced, contentType: `text/${spaces(long)}x` }),
    },
    { ...reserve, what: 'accents', request: json({ ...announced, fileName: accents(32_000) }) },
    { ...reserve, what: 'accents in 16 KiB', request: json({ ...announced, fileName: accents(3000) }) },
    { ...reserve, what: 'accents, as many as allowed', request: json({ ...announced, fileName: accents(500) }) },
    { ...reserve, what: 'a checksum', request: json({ ...announced, fileChecksum: 'a'.repeat(long) }) },
    { ...reserve, what: 'depth', request: json('['.repeat(16_000)) },
    { ...reserve, what: 'depth that is closed', request: json(`{"a":${'['.repeat(8000)}${']'.repeat(8000)}}`) },
    { ...reserve, what: 'poison', request: json(`{${'"__proto__" '.repeat(1000)}`) },
    { ...rename, what: 'accents in another name', request: json({ fileName: accents(3000) }) },
    {
      ...reserve,
      what: 'a Content-Type',
      request: { headers: { 'content-type': `application/json;${'a=";'.repeat(3500)}` }, body: Buffer.from('{}') },
    },
    read('a range', { range: `bytes=${'1'.repeat(long)}-${'x'.repeat(100)}` }, 200),
    read('entity tags', { 'if-none-match': 'W/"'.repeat(5000) }, 200),
    read('entity tags that are empty', { 'if-match': '"",'.repeat(5000) }, 412),
    read('a date', { 'if-modified-since': `Mon, ${spaces(long)}` }, 200),
    read('cookies', { cookie: 'session=;'.repeat(1600) }, 401),
    read('a cookie of escapes', { cookie: `session=${'%'.repeat(long)}` }, 401),
    asked('a name of accents', `/api/v1/attachments/${id}/${encodeURIComponent(accents(160))}`, 404),
    asked('a name of escapes', `/api/v1/attachments/${id}/${'%25'.repeat(5000)}`, 404, 414),
    asked('a query', `/api/v1/attachments/${id}?${'include=%'.repeat(1500)}`, 200, 400),
    asked('parameters', `/api/v1/attachments/${id}?${'&'.repeat(long)}`, 200),
    asked('a link', `/files/${'A'.repeat(16)}/a?expires=${'1'.repeat(7000)}&signature=${'a'.repeat(7000)}`, 403),
  ]
}

/** Bearer tokens and digests. @param id of a reservation of the user */
export function headerAttacks(id: number): Attack[] {
  const put = (what: string, headers: Record<string, string>, ...statuses: number[]) => ({
    ...{ what, method: 'PUT', path: `/api/v1/attachments/${id}/a.txt`, statuses },
    request: { headers, body: Buffer.from('content') },
  })
  const token = (what: string, authorization: string) => ({
    ...{ what, method: 'GET', path: '/v1/attachments', statuses: [401] },
    request: { headers: { authorization }, body: Buffer.alloc(0) },
  })
  return [
    put('a digest of parameters', { 'repr-digest': `a${';a="\\"'.repeat(2500)}` }, 400),
    put('digests', { 'repr-digest': 'a, '.repeat(5000) }, 400),
    put('a digest as long as allowed', { 'repr-digest': `${'a;a=1, '.repeat(140)}!` }, 400),
    put('a type of spaces', { 'content-type': `text/${spaces(15_000)}x` }, 415),
    token('a token of equals signs', `Bearer ${'a'.repeat(7000)}${'='.repeat(7000)}!`),
    token('a token of spaces', `Bearer${spaces(15_000)}!`),
    token('a token as long as allowed', `Bearer ${'a='.repeat(500)}!`),
  ]
}
