import t from 'tap'
import type { StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import { CanonicalForm } from '#http/request-body/canonical-form.ts'
import type { PartHead } from '#http/request-body/part-head.ts'

const head = (name: string) => `Content-Disposition: form-data; name="${name}"; filename="a.txt"\r\n\r\n`

interface Read {
  /** What the parser would be given. */
  written: string
  heads: PartHead[]
  refusals: StowageError[]
  isWhole: boolean
}

/** The form, in chunks of one size. */
async function read(body: string | Buffer, chunkSize: number): Promise<Read> {
  const refusals: StowageError[] = []
  const heads: PartHead[] = []
  const form = new CanonicalForm({
    boundary: 'b',
    onHead: (head) => heads.push(head),
    refuse: (error) => refusals.push(error as StowageError),
  })
  const written: Buffer[] = []
  form.on('data', (bytes: Buffer) => written.push(bytes))
  const bytes = Buffer.from(body)
  for (let at = 0; at < bytes.length; at += chunkSize) form.write(bytes.subarray(at, at + chunkSize))
  await new Promise<void>((resolve) => form.end(resolve))
  return { written: Buffer.concat(written).toString('latin1'), heads, refusals, isWhole: form.isWhole }
}

/** The form that is written, of files with these bodies. */
function canonical(bodies: string[]): string {
  const part = (body: string) =>
    `\r\n--b\r\nContent-Disposition: form-data; name="p"; filename="f"\r\n\r\n${Buffer.from(body).toString('latin1')}`
  return `${bodies.map(part).join('')}\r\n--b--\r\n`
}

const whole: [what: string, bodies: string[], body: string][] = [
  ['no part', [], '--b--\r\n'],
  ['an empty file', [''], `--b\r\n${head('f')}\r\n--b--\r\n`],
  ['an empty file without a line for its body', [''], `--b\r\n${head('f')}--b--\r\n`],
  ['two parts', ['one', 'two'], `--b\r\n${head('f')}one\r\n--b\r\n${head('g')}two\r\n--b--`],
  ['preamble and epilogue', ['one'], `before\r\n--b\r\n${head('f')}one\r\n--b--\r\nafter\r\n--b\r\n`],
  [
    'what is nearly a boundary',
    ['\r\n--\r\n-\r\n\r\n-b--b\r'],
    `--b\r\n${head('f')}\r\n--\r\n-\r\n\r\n-b--b\r\r\n--b--\r\n`,
  ],
  ['a part whose body is only line breaks', ['\r\n\r\n\r\n'], `--b\r\n${head('f')}\r\n\r\n\r\n\r\n--b--`],
  ['a folded header', ['one'], '--b\r\nContent-Disposition: form-data;\r\n name="f"; filename="a"\r\n\r\none\r\n--b--'],
  ['padding after boundaries', ['one'], `--b \t\r\n${head('f')}one\r\n--b-- \t\r\n`],
  [
    'an input that nobody filled',
    ['one'],
    `--b\r\n${head('f').replace('a.txt', '')}\r\n--b\r\n${head('f')}one\r\n--b--\r\n`,
  ],
  ['bytes without a name', ['one'], `--b\r\n${head('f').replace('a.txt', '')}one\r\n--b--\r\n`],
]

for (const [what, bodies, body] of whole) {
  t.test(`${what}, cut anywhere`, async (t) => {
    for (let size = 1; size <= body.length; size += 1) {
      const { written, refusals, isWhole } = await read(body, size)
      t.equal(isWhole, true)
      t.equal(written, canonical(bodies), `in chunks of ${size}`)
      t.same(refusals, [])
    }
  })
}

t.test('without its closing boundary nothing is whole', async (t) => {
  const body = `--b\r\n${head('f')}one\r\n--b--\r\n`
  for (let length = 0; length < body.indexOf('--b--') + 5; length += 1)
    t.match(await read(body.slice(0, length), 7), { isWhole: false, refusals: [] }, `cut after ${length} bytes`)
})

const refused: [what: string, code: string, headers: string | Buffer][] = [
  ['33 headers', 'too_large', `${head('f').trimEnd()}\r\n${'X: y\r\n'.repeat(32)}\r\n`],
  ['headers without end', 'too_large', 'X: y\r\n'.repeat(3000)],
  ['a line of more than 2 KiB', 'too_large', `${head('f').trimEnd()}\r\nX: ${'y'.repeat(2046)}\r\n\r\n`],
  ['no Content-Disposition', 'invalid', 'X: y\r\n\r\n'],
  ['a line that is no header', 'invalid', `X: y\r\nbroken\r\n${head('f')}`],
  ['no blank line before the next boundary', 'invalid', `${head('f').trimEnd()}\r\n--b\r\n${head('f')}`],
  ['no name', 'invalid', 'Content-Disposition: form-data; filename="a"\r\n\r\n'],
  ['a quote that does not close', 'invalid', 'Content-Disposition: form-data; name="f\r\n\r\n'],
  ['a line break in a name', 'invalid', 'Content-Disposition: form-data; name="f"; filename="a\nb"\r\n\r\n'],
  ['what is not UTF-8', 'invalid', Buffer.from(head('f\xe9'), 'latin1')],
  ['two Content-Dispositions', 'invalid', `${head('f').trimEnd()}\r\n${head('f')}`],
  ['two Content-Types', 'invalid', `Content-Type: a/b\r\nContent-Type: a/b\r\n${head('f')}`],
  ['two names', 'invalid', head('f').replace('; filename', '; name="g"; filename')],
  ['two file names', 'invalid', head('f').replace('; filename', '; FileName="b"; filename')],
  ['base64', 'invalid', `Content-Transfer-Encoding: Base64\r\n${head('f')}`],
  ['quoted-printable', 'invalid', `Content-Transfer-Encoding: quoted-printable\r\n${head('f')}`],
  ['a long type', 'invalid', `Content-Type: text/${'x'.repeat(251)}\r\n${head('f')}`],
]

for (const [what, code, headers] of refused) {
  t.test(`${what}: refused once, cut anywhere`, async (t) => {
    const body = Buffer.concat([Buffer.from('--b\r\n'), Buffer.from(headers), Buffer.from('one\r\n--b--\r\n')])
    for (const size of [1, 2, 3, 7, 64, body.length]) {
      const { refusals } = await read(body, size)
      t.match(refusals, [{ code }], `in chunks of ${size}`)
      t.equal(refusals.length, 1)
    }
  })
}

t.test('nothing else may stand on the line of a boundary', async (t) => {
  for (const size of [1, 7, 100])
    t.match((await read(`--b x\r\n${head('f')}one\r\n--b--\r\n`, size)).refusals, [{ code: 'invalid' }])
})

t.test('what is outside of all parts has a limit', async (t) => {
  const form = `\r\n--b\r\n${head('f')}one\r\n--b--`
  const most = 'x'.repeat(limits.formPreamble - 10)
  for (const size of [7, 1024, 100_000]) {
    t.same((await read(`${most}${form}`, size)).refusals, [])
    t.same((await read(`${form}${most}`, size)).refusals, [])
    t.match((await read(`${most}${form}${most}`, size)).refusals, [{ code: 'too_large' }])
    t.match((await read(`${most}${most}`, size)).refusals, [{ code: 'too_large' }])
  }
})

t.test('fields have limits, each and all together', async (t) => {
  const field = (length: number) => `--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n${'x'.repeat(length)}\r\n`
  const many = (length: number, count: number) => `${field(length).repeat(count)}--b--`
  const most = limits.formFields / limits.formField
  for (const size of [100, 100_000]) {
    t.same((await read(many(limits.formField, most), size)).refusals, [])
    t.match((await read(many(limits.formField + 1, 1), size)).refusals, [{ code: 'too_large' }])
    t.match((await read(many(limits.formField, most + 1), size)).refusals, [{ code: 'too_large' }])
  }
})

t.test('what the heads say', async (t) => {
  const said = async (headers: string | Buffer) => {
    const parts = [Buffer.from('--b\r\n'), Buffer.from(headers), Buffer.from('\r\n\r\n\r\n--b--')]
    const { heads, refusals } = await read(Buffer.concat(parts), 1000)
    t.same(refusals, [])
    return heads[0]
  }
  const form = 'Content-Disposition: form-data; name="f"'
  const latin1 = Buffer.from(`${form}; filename="caf\xe9.pdf"; filename*="UTF-8''caf%C3%A9.pdf"`, 'latin1')
  const names: [headers: string | Buffer, fileName: string | undefined][] = [
    [form, undefined],
    [`${form}; filename="a.txt"`, 'a.txt'],
    [`${form};filename=a.txt`, 'a.txt'],
    [`${form}; filename="a.txt";`, 'a.txt'],
    [`${form}; filename=a.txt; \t`, 'a.txt'],
    [`${form}; filename="%22a%0A%0D%25.txt"`, '"a%0A%0D%25.txt'],
    [`${form}; filename="\\"a\\".txt"`, '"a".txt'],
    [`${form}; filename="C:\\temp\\a.txt"`, 'C:\\temp\\a.txt'],
    [`${form}; filename="???.pdf"; filename*="UTF-8''%E6%97%A5.pdf"`, '日.pdf'],
    [`${form}; filename*=UTF-8'ja'%E6%97%A5.pdf; filename="???.pdf"`, '日.pdf'],
    [`${form}; filename*=utf-8''a%2522b.txt`, 'a%22b.txt'],
    [`${form}; filename*=UTF-8''it's.txt`, "it's.txt"],
    [`${form}; filename*=iso-8859-1''caf%E9.pdf`, 'café.pdf'],
    [latin1, 'café.pdf'],
  ]
  for (const [headers, fileName] of names) t.equal((await said(headers))?.fileName, fileName, String(headers))
  t.match(await said(`${form}\r\nContent-Type: Application/Octet-Stream`), { isFile: true, fileName: undefined })
  t.match(await said(`content-type:image/png\r\n${form}; filename=a`), { isFile: true, contentType: 'image/png' })
  t.match(await said(`${form}\r\nContent-Transfer-Encoding: 8BIT`), { isFile: false, contentType: undefined })
})

t.test('a name in pieces is no field', async (t) => {
  for (const pieces of [
    'filename*0="very "; filename*1="long.txt"',
    "filename*0*=UTF-8''very%20; filename*1*=long.txt",
  ]) {
    const body = `--b\r\nContent-Disposition: form-data; name="f"; ${pieces}\r\n\r\n\r\n--b--`
    t.match((await read(body, 1000)).refusals, [{ code: 'invalid', message: /one filename\*/ }], pieces)
  }
  for (const value of [';', '; ;', ';;', '; a', ';filename="a";;']) {
    const body = `--b\r\nContent-Disposition: form-data; name="f"${value}\r\n\r\n\r\n--b--`
    t.equal((await read(body, 1000)).refusals.length, value === ';' ? 0 : 1, value)
  }
})

t.test('a filename* that cannot be read', async (t) => {
  for (const value of [
    'a.txt',
    "a''a.txt",
    "utf-16''a.txt",
    "''a.txt",
    "UTF-8'a.txt",
    "UTF-8''%E9.txt",
    "UTF-8''%G1.txt",
    "UTF-8''a%.txt",
    "UTF-8''a%2",
    "UTF-8''日.txt",
  ]) {
    const body = `--b\r\nContent-Disposition: form-data; name="f"; filename="a"; filename*="${value}"\r\n\r\n\r\n--b--`
    t.match((await read(body, 1000)).refusals, [{ code: 'invalid' }], value)
  }
})
