import { filePart, formOf } from '../../kit/multipart.ts'
import type { Surface } from '../../kit/surfaces.ts'
import { type Refusal, testRefusals } from './refusals.ts'

/** The name as it stands between the quotes, byte for byte. */
interface BadName {
  what: string
  name: string | Buffer
  text: RegExp
}

const control = /control character/
const separator = /path separator/
const unreadable = /headers of a part cannot be read/

const badNames: BadName[] = [
  { what: 'empty', name: '', text: /is missing/ },
  { what: 'a dot', name: '.', text: /is a folder/ },
  { what: 'two dots', name: '..', text: /is a folder/ },
  { what: 'a way up', name: '../../etc/passwd', text: separator },
  { what: 'a slash', name: 'a/b.txt', text: separator },
  { what: 'a slash alone', name: '/', text: separator },
  { what: 'a backslash', name: 'a\\b.txt', text: separator },
  { what: 'a backslash that is escaped', name: 'a\\\\b.txt', text: separator },
  { what: 'a backslash at the end', name: 'a.txt\\', text: unreadable },
  { what: 'a Windows path', name: 'C:\\fakepath\\a.txt', text: separator },
  { what: 'NUL', name: 'a\0b.txt', text: control },
  { what: 'NUL at the end', name: 'a.txt\0', text: control },
  { what: 'a tab', name: 'a\tb.txt', text: control },
  { what: 'DEL', name: 'a\x7fb.txt', text: control },
  { what: 'a C1 control character', name: 'a\x85b.txt', text: control },
  { what: 'a raw line feed', name: 'a\nb.txt', text: unreadable },
  { what: 'a raw carriage return', name: 'a\rb.txt', text: unreadable },
  { what: 'raw CR and LF', name: 'a\r\nb.txt', text: unreadable },
  { what: 'a raw empty line', name: 'a\r\n\r\nb.txt', text: unreadable },
  { what: 'a raw quote', name: 'a"b.txt', text: unreadable },
  { what: 'bytes that are no UTF-8', name: Buffer.from('a\xe9b.txt', 'latin1'), text: /not valid UTF-8/ },
  { what: 'half a character', name: Buffer.from('日本').subarray(0, 4), text: /not valid UTF-8/ },
  { what: 'an encoded surrogate', name: Buffer.from([0x61, 0xed, 0xa0, 0x80]), text: /not valid UTF-8/ },
  { what: '256 bytes', name: 'a'.repeat(256), text: /longer than 255 bytes: it has 256/ },
  { what: '300 bytes', name: `${'é'.repeat(148)}.txt`, text: /longer than 255 bytes/ },
  { what: '2,000 characters', name: 'a'.repeat(1990), text: /longer than 255 bytes: it has 1990/ },
  { what: 'white space alone', name: ' \u3000\u00a0', text: /nothing that can be seen/ },
  { what: 'invisible characters alone', name: '\u200b\u2060\ufeff\u00ad', text: /nothing that can be seen/ },
]

function formWithName(surface: Surface, name: string | Buffer) {
  const mark = 'NAME'
  const { headers, body } = formOf(filePart(surface, 'content', mark))
  const at = body.indexOf(mark)
  return { headers, body: Buffer.concat([body.subarray(0, at), Buffer.from(name), body.subarray(at + mark.length)]) }
}

testRefusals(
  badNames.map(
    ({ what, name, text }): Refusal => ({
      what: `a name that is, or holds, ${what}`,
      request: (surface) => formWithName(surface, name),
      status: 400,
      text,
    }),
  ),
)
