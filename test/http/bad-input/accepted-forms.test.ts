import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import {
  chunked,
  fieldPart,
  fileHeaders,
  filePart,
  formOf,
  multipartBody,
  type RawBody,
  typeOf,
  unfinishedForm,
} from '../../kit/multipart.ts'
import { postRaw } from '../../kit/raw-http.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { bearerApi, cookieApi, type Surface, surfaces } from '../../kit/surfaces.ts'
import { newestId } from './remains.ts'

/** A form at the edge of what is taken, and the file that comes of it. */
interface Accepted {
  what: string
  request(surface: Surface): RawBody
  fileName?: string
  content?: string | Buffer
  contentType?: string
}

const boundary70 = `${"'()+_,-./:=?".repeat(5)}0123456789`
const nearlyBoundary = `${boundary70}\r\n--${boundary70.slice(0, 69)}\r\n\r-\r\n-\r`
const mebibyte = randomBytes(2 ** 20)
const disposition = (surface: Surface, fileName: string) => fileHeaders(surface.fileField, fileName).split('\r\n')[0]

const accepted: Accepted[] = [
  { what: 'an empty file', request: (surface) => formOf(filePart(surface, '')), content: '' },
  { what: 'a file of just the size allowed', request: (s) => formOf(filePart(s, mebibyte)), content: mebibyte },
  {
    what: 'a boundary of 70 characters, nearly in the file',
    request: (surface) => ({
      headers: typeOf(`"${boundary70}"`),
      body: multipartBody(boundary70, [filePart(surface, nearlyBoundary)]),
    }),
    content: nearlyBoundary,
  },
  {
    what: 'a preamble and an epilogue',
    request: (surface) =>
      unfinishedForm(
        [],
        (b) =>
          `preamble\r\n--${b}\r\n${disposition(surface, 'a.txt')}\r\n\r\ncontent\r\n--${b}--\r\nepilogue\r\n--${b}\r\n`,
      ),
  },
  {
    what: 'no line break at the end',
    request: (surface) =>
      unfinishedForm([], (b) => `--${b}\r\n${disposition(surface, 'a.txt')}\r\n\r\ncontent\r\n--${b}--`),
  },
  {
    what: '32 headers, written in other ways',
    request: ({ fileField }) => {
      const more = Array.from({ length: 30 }, (_, index) => `x-${index}:`)
      const headers = [
        `content-disposition:Form-Data ; Name=${fileField} ; FileName=a.txt`,
        'CONTENT-TYPE: Text/Plain; charset=utf-8',
        ...more,
      ]
      return formOf({ headers: headers.join('\r\n'), body: 'content' })
    },
    contentType: 'text/plain',
  },
  {
    what: 'no Content-Type, where the name tells it',
    request: (surface) =>
      formOf(fieldPart(surface.sizeField, '17'), {
        headers: disposition(surface, 'a.png') ?? '',
        body: 'content-type: a/b',
      }),
    fileName: 'a.png',
    content: 'content-type: a/b',
    contentType: 'image/png',
  },
  {
    what: 'chunked transfer coding',
    request: (surface) => chunked(formOf(filePart(surface, mebibyte))),
    content: mebibyte,
  },
  ...['👩‍👩‍👧‍👦 🏳️‍🌈.png', '\u202Efdp.exe', '\u200Fשלום\u200E.txt', '100%.txt', 'é'.repeat(127)].map((fileName) => ({
    what: `a name kept as it is: ${fileName.slice(0, 20)}`,
    request: (surface: Surface) => formOf(filePart(surface, 'content', fileName)),
    fileName,
  })),
  {
    what: 'a name whose quotes are written as browsers do',
    request: (surface) => formOf(filePart(surface, 'content', '%22a%22.txt')),
    fileName: '"a".txt',
  },
  {
    what: 'a name with backslashes before its quotes',
    request: (surface) => formOf(filePart(surface, 'content', '\\"a\\".txt')),
    fileName: '"a".txt',
  },
  {
    what: 'the name in filename* alone, as some clients send what is not ASCII',
    request: ({ fileField }) =>
      formOf({
        headers: `Content-Disposition: form-data; name="${fileField}"; filename*=utf-8''%E6%97%A5%E6%9C%AC.txt`,
        body: 'content',
      }),
    fileName: '日本.txt',
  },
  ...['a%0Ab.txt', '%0D%0A.txt', '%25.txt', 'é'.normalize('NFD')].map((fileName) => ({
    what: `a name that is decoded no further: ${fileName}`,
    request: (surface: Surface) => formOf(filePart(surface, 'content', fileName)),
    fileName: fileName.normalize('NFC'),
  })),
  {
    what: 'filename*, in quotes, before a filename that is a stand-in',
    request: ({ fileField }) =>
      formOf({
        headers: `Content-Disposition: form-data; name="${fileField}"; filename*="UTF-8''%E6%97%A5.pdf"; filename="???.pdf"`,
        body: 'content',
      }),
    fileName: '日.pdf',
    contentType: 'application/pdf',
  },
  {
    what: 'filename* behind a filename that is not UTF-8',
    request: ({ fileField }) => {
      const headers = `Content-Disposition: form-data; name="${fileField}"; filename="caf\xe9.pdf"; filename*=UTF-8''caf%C3%A9.pdf`
      const { headers: types, body } = formOf({ headers, body: 'content' })
      return { headers: types, body: Buffer.from(body.toString(), 'latin1') }
    },
    fileName: 'café.pdf',
  },
  {
    what: 'filename*, decoded once',
    request: ({ fileField }) =>
      formOf({
        headers: `Content-Disposition: form-data; name="${fileField}"; filename*=UTF-8''a%2522b.txt`,
        body: 'content',
      }),
    fileName: 'a%22b.txt',
  },
  {
    what: 'an input that nobody filled, before and after the file',
    request: (surface) => formOf(filePart(surface, '', ''), filePart(surface), filePart(surface, '', '')),
  },
  {
    what: 'padding after every boundary',
    request: (surface) =>
      unfinishedForm([], (b) => `--${b} \t\r\n${disposition(surface, 'a.txt')}\r\n\r\ncontent\r\n--${b}-- \t\r\n`),
  },
  ...['7bit', '8bit', 'Binary'].map((encoding) => ({
    what: `a Content-Transfer-Encoding that changes nothing: ${encoding}`,
    request: (surface: Surface) =>
      formOf({
        headers: `${disposition(surface, 'a.txt')}\r\nContent-Transfer-Encoding: ${encoding}`,
        body: 'content',
      }),
  })),
  ...['image/*', '*/*', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', ''].map((type) => ({
    what: `a type that says nothing: ${type}`,
    request: (surface: Surface) => formOf({ headers: fileHeaders(surface.fileField, 'a.jfif', type), body: 'content' }),
    fileName: 'a.jfif',
    contentType: 'image/jpeg',
  })),
]

async function isTaken(t: Test, server: TestServer, surface: Surface, form: Accepted): Promise<void> {
  const { headers, body } = form.request(surface)
  const credentials = await surface.credentials(server, 1)
  const { status } = await postRaw(server.url, surface.path, { headers: { ...headers, ...credentials }, body })
  t.equal(status, surface.created)
  const cookie = await server.cookie(1)
  const at = `${server.url}/api/v1/attachments/${await newestId(server)}`
  const metadata = (await (await fetch(at, { headers: cookie })).json()) as Record<string, unknown>
  const { fileName = 'a.txt', content = 'content', contentType } = form
  t.match(metadata, { fileName, fileSize: content.length, ...(contentType && { contentType }) })
  const download = await fetch(`${at}/${encodeURIComponent(fileName)}`, { headers: cookie })
  t.ok(Buffer.from(await download.arrayBuffer()).equals(Buffer.from(content)), 'the bytes are those sent')
}

for (const store of ['s3', 'disk'] as const) {
  t.test(`accepted on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store, env: { MAX_CONCURRENT_UPLOADS: '1', MAX_FILE_SIZE: '1MiB' } })
    for (const surface of surfaces)
      for (const form of accepted)
        await t.test(`${surface.name}: ${form.what}`, (t) => isTaken(t, server, surface, form))
    t.equal((await server.remains()).objects.length, accepted.length * [cookieApi, bearerApi].length)
  })
}
