import t from 'tap'
import type { StowageError } from '../../../src/errors.ts'
import { PartGuard } from '../../../src/http/forms/part-guard.ts'

const head = (name: string) => `Content-Disposition: form-data; name="${name}"; filename="a.txt"\r\n\r\n`

function watch(body: string | Buffer, chunkSize: number): { guard: PartGuard; refusals: StowageError[] } {
  const refusals: StowageError[] = []
  const guard = new PartGuard('b', (error) => refusals.push(error))
  const bytes = Buffer.from(body)
  for (let at = 0; at < bytes.length; at += chunkSize) guard.push(bytes.subarray(at, at + chunkSize))
  return { guard, refusals }
}

const whole: [what: string, parts: number, body: string][] = [
  ['no part', 0, '--b--\r\n'],
  ['an empty file', 1, `--b\r\n${head('f')}\r\n--b--\r\n`],
  ['two parts', 2, `--b\r\n${head('f')}one\r\n--b\r\n${head('g')}two\r\n--b--`],
  ['preamble and epilogue', 1, `before\r\n--b\r\n${head('f')}one\r\n--b--\r\nafter\r\n--b\r\n`],
  ['what is nearly a boundary', 1, `--b\r\n${head('f')}\r\n--\r\n-\r\n\r\n-b--b\r\r\n--b--\r\n`],
  ['a part whose body is only line breaks', 1, `--b\r\n${head('f')}\r\n\r\n\r\n\r\n--b--`],
  ['a folded header', 1, '--b\r\nContent-Disposition: form-data;\r\n name="f"\r\n\r\none\r\n--b--'],
]

for (const [what, parts, body] of whole) {
  t.test(`${what}, cut anywhere`, async (t) => {
    for (let size = 1; size <= body.length; size += 1) {
      const { guard, refusals } = watch(body, size)
      t.equal(guard.isWhole(parts), true, `in chunks of ${size}`)
      t.equal(guard.isWhole(parts + 1), false)
      t.same(refusals, [])
    }
  })
}

t.test('without its closing boundary nothing is whole', async (t) => {
  const body = `--b\r\n${head('f')}one\r\n--b--\r\n`
  for (let length = 0; length < body.indexOf('--b--') + 5; length += 1)
    t.equal(watch(body.slice(0, length), 7).guard.isWhole(1), false, `cut after ${length} bytes`)
})

const refused: [what: string, code: string, headers: string | Buffer][] = [
  ['33 headers', 'too_large', `${head('f').trimEnd()}\r\n${'X: y\r\n'.repeat(32)}\r\n`],
  ['headers without end', 'too_large', 'X: y\r\n'.repeat(3000)],
  ['no Content-Disposition', 'invalid', 'X: y\r\n\r\n'],
  ['a line that is no header', 'invalid', `X: y\r\nbroken\r\n${head('f')}`],
  ['no blank line before the next boundary', 'invalid', `${head('f').trimEnd()}\r\n--b\r\n${head('f')}`],
  ['no name', 'invalid', 'Content-Disposition: form-data; filename="a"\r\n\r\n'],
  ['a quote that does not close', 'invalid', 'Content-Disposition: form-data; name="f\r\n\r\n'],
  ['a line break in a name', 'invalid', 'Content-Disposition: form-data; name="f"; filename="a\nb"\r\n\r\n'],
  ['what is not UTF-8', 'invalid', Buffer.from(head('f\xe9'), 'latin1')],
]

for (const [what, code, headers] of refused) {
  t.test(`${what}: refused once, cut anywhere`, async (t) => {
    const body = Buffer.concat([Buffer.from('--b\r\n'), Buffer.from(headers), Buffer.from('one\r\n--b--\r\n')])
    for (const size of [1, 2, 3, 7, 64, body.length]) {
      const { refusals } = watch(body, size)
      t.match(refusals, [{ code }], `in chunks of ${size}`)
      t.equal(refusals.length, 1)
    }
  })
}

t.test('nothing else may stand on the line of a boundary', async (t) => {
  for (const size of [1, 7, 100])
    t.match(watch(`--b x\r\n${head('f')}one\r\n--b--\r\n`, size).refusals, [{ code: 'invalid' }])
})
