import { fieldPart, filePart, formOf, multipartBody, type Part, typeOf, unfinishedForm } from '../../kit/multipart.ts'
import type { Surface } from '../../kit/surfaces.ts'
import { type Refusal, testRefusals } from './refusals.ts'
import { uploadFailed } from './remains.ts'

type Broken = Pick<Refusal, 'what' | 'request' | 'leaves'> & { text: RegExp }

const endsEarly = /broken or ends before its closing boundary/
const notAllowed = /name that is not allowed/
const unreadable = /headers of a part cannot be read/
const withHeaders = (headers: string) => () => formOf({ headers, body: 'content' })
const disposition = ({ fileField }: Surface) => `Content-Disposition: form-data; name="${fileField}"; filename="a.txt"`

/** Broken before a file began to arrive. */
const atOnce: Broken[] = [
  { what: 'only a preamble', request: () => ({ headers: typeOf('b'), body: Buffer.from('--') }), text: endsEarly },
  { what: 'ends after a boundary', request: () => unfinishedForm([], (b) => `--${b}\r\n`), text: endsEarly },
  {
    what: 'ends within headers',
    request: (surface) => unfinishedForm([], (b) => `--${b}\r\n${disposition(surface)}\r\n`),
    text: endsEarly,
  },
  {
    what: 'something else on the line of the boundary',
    request: (surface) => unfinishedForm([], (b) => `--${b} x\r\n${disposition(surface)}\r\n\r\ncontent\r\n--${b}--`),
    text: unreadable,
  },
  { what: 'a part without headers', request: withHeaders(''), text: unreadable },
  { what: 'a part without Content-Disposition', request: withHeaders('Content-Type: text/plain'), text: unreadable },
  { what: 'an attachment in a form', request: withHeaders('Content-Disposition: attachment'), text: unreadable },
  {
    what: 'a part without a name',
    request: withHeaders('Content-Disposition: form-data; filename="a.txt"'),
    text: unreadable,
  },
  {
    what: 'a header without a colon',
    request: (surface) => formOf({ headers: `${disposition(surface)}\r\nbroken`, body: 'content' }),
    text: unreadable,
  },
  {
    what: 'a header without a name',
    request: (surface) => formOf({ headers: `: broken\r\n${disposition(surface)}`, body: 'content' }),
    text: unreadable,
  },
  {
    what: 'headers that go over into the next part',
    request: (surface) =>
      unfinishedForm(
        [],
        (b) =>
          `--${b}\r\n${disposition(surface)}\r\nlost: yes\r\n--${b}\r\n${disposition(surface)}\r\n\r\ncontent\r\n--${b}--\r\n`,
      ),
    text: unreadable,
  },
  {
    what: 'a quote that is not closed',
    request: withHeaders('Content-Disposition: form-data; name="file'),
    text: unreadable,
  },
  {
    what: 'files nested in a part, as RFC 2388 once allowed',
    request: ({ fileField }) =>
      formOf({
        headers: `Content-Disposition: form-data; name="${fileField}"\r\nContent-Type: multipart/mixed; boundary=inner`,
        body: multipartBody('inner', [{ headers: 'Content-Disposition: file; filename="a.txt"', body: 'content' }]),
      }),
    text: /holds text, not a file/,
  },
  ...['__proto__', 'constructor', 'toString'].flatMap((name) => [
    {
      what: `a field named ${name}`,
      request: (surface: Surface) => formOf(fieldPart(name), filePart(surface)),
      text: notAllowed,
    },
    {
      what: `a file named ${name}`,
      request: (surface: Surface) => formOf(filePart({ ...surface, fileField: name })),
      text: new RegExp(`under the name "${name}"`),
    },
  ]),
]

/** Broken while a file arrived, or after it had: it must not become Ready. */
const late: Pick<Refusal, 'what' | 'request'>[] = [
  { what: 'ends within a file', request: (surface) => endsWith(surface, () => '') },
  { what: 'ends within the boundary', request: (surface) => endsWith(surface, (b) => `\r\n--${b.slice(0, 9)}`) },
  { what: 'ends after a boundary that is not the last', request: (surface) => endsWith(surface, (b) => `\r\n--${b}`) },
  { what: 'half a closing boundary', request: (surface) => endsWith(surface, (b) => `\r\n--${b}-`) },
  { what: 'a boundary that closes otherwise', request: (surface) => endsWith(surface, (b) => `\r\n--${b}-x\r\n`) },
  { what: 'a line feed before the boundary', request: (surface) => endsWith(surface, (b) => `\n--${b}--\r\n`) },
]

/** The second part of a form whose first is a good file. */
const secondParts: (Pick<Refusal, 'what' | 'text' | 'leaves'> & { part(surface: Surface): Part })[] = [
  // Seen before the file that arrived together with it is begun.
  {
    what: 'without Content-Disposition',
    part: () => ({ headers: 'X-A: b', body: 'content' }),
    text: unreadable,
    leaves: [],
  },
  {
    what: 'with a broken header',
    part: (s) => ({ headers: `${disposition(s)}\r\nbroken`, body: '' }),
    text: unreadable,
    leaves: [],
  },
  {
    what: 'under another name',
    part: (s) => filePart({ ...s, fileField: 'upload' }),
    text: /"upload"/,
    leaves: failedFor(/^A file came under another name than "files?"\.$/),
  },
  { what: 'that is text', part: (s) => fieldPart(s.fileField), text: /holds text/ },
  {
    what: 'named __proto__',
    part: () => fieldPart('__proto__'),
    text: /not allowed: "__proto__"/,
    leaves: failedFor(/^A field has a name that is not allowed\.$/),
  },
]

function endsWith(surface: Surface, rest: (boundary: string) => string) {
  return unfinishedForm([], (b) => `--${b}\r\n${disposition(surface)}\r\n\r\nall of the content${rest(b)}`)
}

testRefusals([
  ...atOnce.map((broken) => ({ ...broken, status: 400 })),
  ...late.map((broken) => ({ ...broken, status: 400, text: endsEarly, leaves: failedFor(endsEarly) })),
  ...secondParts.map(({ what, part, text, leaves = failedFor(text) }) => ({
    what: `after a good file a part ${what}`,
    request: (surface: Surface) => formOf(filePart(surface), part(surface)),
    status: 400,
    text,
    leaves,
  })),
])

function failedFor(failureReason: RegExp) {
  return [{ state: uploadFailed, failureReason }]
}
