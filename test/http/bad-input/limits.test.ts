import { chunked, fieldPart, filePart, formOf } from '../../kit/multipart.ts'
import type { Surface } from '../../kit/surfaces.ts'
import { type Refusal, testRefusals } from './refusals.ts'
import { uploadFailed } from './remains.ts'

const mostBytes = 1024 * 1024
const many = (length: number, one: (index: number) => string) => Array.from({ length }, (_, index) => one(index))

function withExtraHeaders(surface: Surface, lines: string[]) {
  const { headers, body } = filePart(surface)
  return formOf({ headers: [headers, ...lines].join('\r\n'), body })
}

const refusals: Omit<Refusal, 'status'>[] = [
  {
    what: 'a file of one byte more than allowed',
    request: (surface) => formOf(filePart(surface, Buffer.alloc(mostBytes + 1))),
    text: /larger than 1048576 bytes/,
    leaves: [{ state: uploadFailed, failureReason: /larger than 1048576 bytes/ }],
  },
  {
    what: 'a file far larger than allowed',
    request: (surface) => formOf(filePart(surface, Buffer.alloc(20 * mostBytes))),
    text: /larger than 1048576 bytes/,
    leaves: [{ state: uploadFailed, failureReason: /larger than 1048576 bytes/ }],
  },
  {
    what: 'a file far larger than allowed whose length is not told',
    request: (surface) => chunked(formOf(filePart(surface, Buffer.alloc(20 * mostBytes)))),
    text: /larger than 1048576 bytes/,
    leaves: [{ state: uploadFailed, failureReason: /larger than 1048576 bytes/ }],
  },
  {
    what: '51 fields where 20 files may come',
    request: (surface) =>
      formOf(...Array.from({ length: 51 }, () => fieldPart(surface.sizeField, '7')), filePart(surface)),
    text: /More than 50 fields/,
  },
  {
    what: '5,000 fields',
    request: (surface) =>
      formOf(...many(5000, (index) => `f${index}`).map((name) => fieldPart(name)), filePart(surface)),
    text: /More than 50 fields/,
  },
  {
    what: 'a field of 1 MiB',
    request: (surface) => formOf(fieldPart(surface.sizeField, Buffer.alloc(mostBytes)), filePart(surface)),
    text: /"file_?[sS]ize" is longer than 1024 bytes/,
  },
  {
    what: 'a field of one byte more than allowed',
    request: (surface) => formOf(fieldPart(surface.sizeField, Buffer.alloc(1025)), filePart(surface)),
    text: /"file_?[sS]ize" is longer than 1024 bytes/,
  },
  {
    what: 'a part with 33 headers',
    // The part has two of its own.
    request: (surface) =>
      withExtraHeaders(
        surface,
        many(31, (index) => `X-${index}: a`),
      ),
    text: /more than 32 headers/,
  },
  {
    what: 'a part with thousands of headers',
    request: (surface) =>
      withExtraHeaders(
        surface,
        many(5000, (index) => `X-${index}: a`),
      ),
    text: /more than 32 headers, or 16384 bytes/,
  },
  {
    what: 'a part with a header of 1 MiB',
    request: (surface) => withExtraHeaders(surface, [`X-Long: ${'a'.repeat(mostBytes)}`]),
    text: /more than 32 headers, or 16384 bytes/,
  },
  {
    what: 'a header of more than 2 KiB',
    request: (surface) => withExtraHeaders(surface, [`X-Long: ${'a'.repeat(2041)}`]),
    text: /has 2049 bytes, more than the 2048/,
  },
  {
    what: 'a file name of 10,000 bytes',
    request: (surface) => formOf(filePart(surface, 'content', 'a'.repeat(10_000))),
    text: /has 10\d+ bytes, more than the 2048.* a file name may have 255/,
  },
  {
    what: 'an unknown field of 1 MiB',
    request: (surface) => formOf(fieldPart('note', Buffer.alloc(mostBytes)), filePart(surface)),
    text: /is longer than 1024 bytes/,
  },
  {
    what: 'a preamble of 1 MiB',
    request: (surface) => {
      const { headers, body } = formOf(filePart(surface))
      return { headers, body: Buffer.concat([Buffer.alloc(mostBytes), Buffer.from('\r\n'), body]) }
    },
    text: /16384 bytes of the form are in none of its parts/,
  },
  {
    what: 'a file name of 1 MiB',
    request: (surface) => formOf(filePart(surface, 'content', 'a'.repeat(mostBytes))),
    text: /more than 32 headers, or 16384 bytes/,
  },
]

testRefusals(
  refusals.map((refusal) => ({ ...refusal, status: 413 })),
  { MAX_FILE_SIZE: '1MiB' },
)
