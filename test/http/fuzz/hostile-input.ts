import fc from 'fast-check'
import { chunked, multipartBody, type RawBody } from '../../kit/multipart.ts'

const pieces = [
  ...[
    '\0',
    '\t',
    '\n',
    '\r\n',
    '\r\n\r\n',
    ' ',
    '"',
    "'",
    '\\',
    '/',
    '..',
    ';',
    '=',
    '*',
    ',',
    '&',
    '?',
    '#',
    '+',
    ':',
  ],
  ...[
    '%',
    '%00',
    '%22',
    '%2F',
    '%E9',
    '%zz',
    '\u0301',
    '\u0323',
    '\u200b',
    '\u202e',
    '\ufeff',
    '\ufffd',
    'é',
    '日',
    '👩‍👧',
  ],
  ...[
    '--',
    '--b',
    '{',
    '[',
    '__proto__',
    'constructor',
    'null',
    'NaN',
    '-1',
    '0',
    '1',
    '1e9',
    '9'.repeat(20),
    'a'.repeat(300),
  ],
]

const mixed = fc
  .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 8 })), { maxLength: 12 })
  .map((parts) => parts.join(''))

const repeated = fc
  .tuple(fc.constantFrom(...pieces), fc.integer({ min: 2, max: 8000 }))
  .map(([piece, times]) => piece.repeat(times).slice(0, 12_000))

/** Text that nobody means well with: of every kind, short as a rule, up to 12,000 characters. */
export const hostileText = fc.oneof({ weight: 5, arbitrary: mixed }, { weight: 1, arbitrary: repeated })

/** The same as the value of a header, which ends with its line. */
export const hostileValue = hostileText.map((text) => text.replace(/[\r\n]/g, ' '))

/** The same as a part of an address: encoded, or as it is but for what would end it. */
export const hostilePart = fc.oneof(
  hostileText.map((text) => encodeURIComponent(text.toWellFormed())),
  hostileText.map((text) => text.replace(/[\s/?#]/g, '') || '-'),
)

/** Some of the values given, and now and then something hostile instead. */
export function mostly<T>(good: readonly T[], hostile: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...good) }, { weight: 2, arbitrary: hostile })
}

const parameter = fc
  .tuple(
    fc.constantFrom('name', 'filename', 'filename*', 'Name', 'x', 'filename*0'),
    fc.oneof(
      fc.constantFrom('"files"', '"file"', 'files', '"fileSize"', '"filename"', '"a.txt"', '""', "UTF-8''a%20b.txt"),
      hostileText.map((text) => `"${text}"`),
      hostileText,
    ),
  )
  .map(([name, value]) => `; ${name}=${value}`)

const good = fc.constantFrom(
  'Content-Disposition: form-data; name="files"; filename="a.txt"',
  'Content-Disposition: form-data; name="file"; filename="a.txt"',
  'Content-Disposition: form-data; name="fileSize"',
  'Content-Disposition: form-data; name="filename"',
)

const line = fc.oneof(
  { weight: 4, arbitrary: good },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('form-data', 'Form-Data ', 'attachment', ''), fc.array(parameter, { maxLength: 5 }))
      .map(([type, parameters]) => `Content-Disposition: ${type}${parameters.join('')}`),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom('Content-Type', 'Content-Transfer-Encoding', 'X', ''), hostileText)
      .map(([name, value]) => `${name}: ${value}`),
  },
  { weight: 1, arbitrary: hostileText },
)

const part = fc.record({
  headers: fc.array(line, { minLength: 1, maxLength: 3 }).map((lines) => lines.join('\r\n')),
  body: fc.oneof(fc.constantFrom('', 'content', '7'), hostileText),
})

/** A form that is one, of a file that may be called anything and hold anything. */
function wellFormed(fileField: string): fc.Arbitrary<RawBody> {
  const name = hostileText.map((text) => encodeURIComponent(text.toWellFormed()).slice(0, 600))
  return fc
    .record({ name: mostly(['a.txt', ''], name), body: hostileText, type: mostly(['text/plain', '*/*'], hostileValue) })
    .map(({ name, body, type }) => ({
      headers: `Content-Disposition: form-data; name="${fileField}"; filename="${name}"\r\nContent-Type: ${type}`,
      body,
    }))
    .map((file) => ({
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: multipartBody('b', [file]),
    }))
}

/** A form whose heads, bodies, boundaries and ends may be anything. */
function malformed(): fc.Arbitrary<RawBody> {
  const anyType = hostileValue.map((text) => `multipart/form-data; boundary=${text}`)
  return fc
    .record({
      type: mostly(['multipart/form-data; boundary=b'], anyType),
      preamble: mostly([''], hostileText),
      parts: fc.array(part, { maxLength: 4 }),
      end: fc.constantFrom('--b--\r\n', '--b--', '--b-- \t\r\nepilogue', '--b', ''),
      isChunked: fc.boolean(),
    })
    .map(({ type, preamble, parts, end, isChunked }) => {
      const beginning = preamble === '' ? '' : `${preamble}\r\n`
      const body = Buffer.concat([Buffer.from(beginning), multipartBody('b', parts, false), Buffer.from(end)])
      const form = { headers: { 'content-type': type }, body }
      return isChunked ? chunked(form) : form
    })
}

/** @param fileField the name of the field that a file may come under */
export function hostileForm(fileField: string): fc.Arbitrary<RawBody> {
  return fc.oneof({ weight: 3, arbitrary: malformed() }, { weight: 1, arbitrary: wellFormed(fileField) })
}

/** A body that may be JSON or an encoded form, with the fields named or others. */
export function hostileBody(fields: Record<string, readonly unknown[]>): fc.Arbitrary<RawBody> {
  const value = fc.oneof(hostileText, fc.jsonValue({ maxDepth: 3 }), fc.double(), fc.maxSafeInteger())
  const entries = Object.entries(fields).map(([name, some]) => [name, mostly(some, value)] as const)
  const object = fc.record(Object.fromEntries(entries), { requiredKeys: [] })
  const depth = fc.integer({ min: 1, max: 7000 }).map((levels) => `${'['.repeat(levels)}${']'.repeat(levels)}`)
  return fc
    .oneof(
      { weight: 5, arbitrary: object.map((body) => ({ type: 'application/json', text: JSON.stringify(body) })) },
      { weight: 1, arbitrary: fc.oneof(depth, hostileText).map((text) => ({ type: 'application/json', text })) },
      {
        weight: 2,
        arbitrary: hostileText.map((text) => ({ type: 'application/x-www-form-urlencoded', text: `filename=${text}` })),
      },
      { weight: 1, arbitrary: fc.record({ type: hostileValue, text: hostileText }) },
    )
    .map(({ type, text }) => ({ headers: { 'content-type': type }, body: Buffer.from(text) }))
}
