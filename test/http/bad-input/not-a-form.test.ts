import { fieldHeaders, fieldPart, filePart, formOf, multipartBody, typeOf } from '../../kit/multipart.ts'
import type { Surface } from '../../kit/surfaces.ts'
import { type Refusal, testRefusals } from './refusals.ts'

type Case = Pick<Refusal, 'what' | 'request'>

const aForm = (surface: Surface) => multipartBody('b', [filePart(surface)])
const tooLong = 'b'.repeat(71)
const none = Buffer.alloc(0)

/** What is not multipart, or not to be taken apart. */
const notMultipart: Case[] = [
  { what: 'nothing at all', request: () => ({ headers: {}, body: none }) },
  { what: 'no Content-Type', request: (surface) => ({ headers: {}, body: aForm(surface) }) },
  { what: 'JSON', request: () => ({ headers: { 'content-type': 'application/json' }, body: Buffer.from('{"a":1}') }) },
  { what: 'text', request: () => ({ headers: { 'content-type': 'text/plain' }, body: Buffer.from('text') }) },
  {
    what: 'a form without files',
    request: () => ({ headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: Buffer.from('a=1') }),
  },
  {
    what: 'bytes',
    request: () => ({ headers: { 'content-type': 'application/octet-stream' }, body: Buffer.alloc(1000) }),
  },
  {
    what: 'another kind of multipart',
    request: (surface) => ({ headers: { 'content-type': 'multipart/mixed; boundary=b' }, body: aForm(surface) }),
  },
  {
    what: 'a Content-Type of 15,000 characters',
    request: (surface) => ({ headers: typeOf(`B${' '.repeat(15_000)}x`), body: aForm(surface) }),
  },
  {
    what: 'a Content-Type that is none',
    request: (surface) => ({ headers: { 'content-type': 'form data' }, body: aForm(surface) }),
  },
]

/** Forms that cannot be taken apart, and forms that hold no file where one should be. */
const malformed: (Case & { text: RegExp })[] = [
  {
    what: 'no boundary',
    request: (surface) => ({ headers: { 'content-type': 'multipart/form-data' }, body: aForm(surface) }),
    text: /names no boundary/,
  },
  {
    what: 'an empty boundary',
    request: (surface) => ({ headers: typeOf('""'), body: aForm(surface) }),
    text: /names no boundary/,
  },
  {
    what: 'a boundary of 71 characters',
    request: (surface) => ({ headers: typeOf(tooLong), body: multipartBody(tooLong, [filePart(surface)]) }),
    text: /longer than 70/,
  },
  {
    what: 'another boundary than the body has',
    request: (surface) => ({ headers: typeOf('c'), body: aForm(surface) }),
    text: /broken or ends before/,
  },
  { what: 'an empty body', request: () => ({ headers: typeOf('b'), body: none }), text: /broken or ends before/ },
  { what: 'an empty form', request: () => ({ headers: typeOf('b'), body: multipartBody('b', []) }), text: /no file/ },
  { what: 'only a field', request: (surface) => formOf(fieldPart(surface.sizeField, '7')), text: /no file/ },
  { what: 'only an input that nobody filled', request: (s) => formOf(filePart(s, '', '')), text: /no file/ },
  {
    what: 'a field that nobody knows',
    request: (s) => formOf(fieldPart('note'), filePart(s)),
    text: /not allowed: "note"/,
  },
  {
    what: 'a field that nobody knows, with a long name',
    request: (surface) => formOf(fieldPart('n'.repeat(1000)), filePart(surface)),
    text: /not allowed: "n{64}…"/,
  },
  {
    what: 'a field in JSON',
    request: (surface) =>
      formOf(
        { headers: `${fieldHeaders(surface.sizeField)}\r\nContent-Type: application/json`, body: '['.repeat(1000) },
        filePart(surface),
      ),
    text: /type other than text/,
  },
  {
    what: 'a field that is not UTF-8',
    request: (surface) => formOf(fieldPart(surface.sizeField, Buffer.from([0x61, 0xe9])), filePart(surface)),
    text: /is not valid UTF-8/,
  },
  {
    what: 'a file in base64',
    request: (surface) => {
      const { headers, body } = filePart(surface)
      return formOf({ headers: `${headers}\r\nContent-Transfer-Encoding: base64`, body })
    },
    text: /Content-Transfer-Encoding/,
  },
  {
    what: 'a boundary with a quote in it',
    request: (surface) => ({ headers: typeOf('"a\\"b"'), body: multipartBody('a"b', [filePart(surface)]) }),
    text: /character that none may hold/,
  },
  {
    what: 'a file under another name',
    request: (surface) => formOf({ ...filePart({ ...surface, fileField: 'upload' }) }),
    text: /"upload".*"files?"/,
  },
  {
    what: 'the path of a file instead of the file',
    request: ({ fileField }) => formOf(fieldPart(fileField, '../Invoice.pdf')),
    text: /@/,
  },
]

testRefusals([
  ...notMultipart.map((refusal) => ({ ...refusal, status: 415, text: /multipart\/form-data|Content-Type/ })),
  ...malformed.map((refusal) => ({ ...refusal, status: 400 })),
])
