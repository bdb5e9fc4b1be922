import t from 'tap'
import { endOfLink, isSignatureOf, signedFilePath } from '#auth/signed-urls.ts'

const signatureIn = (path: string) => new URL(path, 'http://x').searchParams.get('signature') ?? ''

t.test('no field can be taken for part of another', async (t) => {
  const files = [
    { publicId: 'abc', fileName: 'x', expires: 12 },
    { publicId: 'abc', fileName: '2\nx', expires: 1 },
    { publicId: 'abc', fileName: '12\nx', expires: 12 },
    { publicId: 'abc1', fileName: 'x', expires: 2 },
    { publicId: 'abc', fileName: '', expires: 12 },
    { publicId: 'abc', fileName: 'x', expires: 12, linkVersion: 1 },
    { publicId: 'abc', fileName: 'x', expires: 1, linkVersion: 2 },
    { publicId: 'abc', fileName: '1\nx', expires: 12 },
  ]
  const signatures = files.map((file) => signatureIn(signedFilePath('key', file)))
  t.equal(new Set(signatures).size, files.length)
  for (const [index, file] of files.entries())
    t.same(
      signatures.filter((signature) => isSignatureOf(['key'], file, signature)),
      [signatures[index]],
    )
})

t.test('a signature of any key that is valid', async (t) => {
  const file = { publicId: 'abc', fileName: 'x', expires: 12 }
  const given = signatureIn(signedFilePath('old', file))
  t.equal(isSignatureOf(['new', 'old'], file, given), true)
  t.equal(isSignatureOf(['new'], file, given), false)
  t.equal(isSignatureOf([], file, given), false)
})

t.test('a path that comes back as the name it was made of', async (t) => {
  for (const fileName of [
    'a b.txt',
    '100%.txt',
    'a?b#c&d=e',
    '請求書 😀.pdf',
    '%2e%2e',
    '"\'<>`',
    '...',
    ';a=b',
    '+',
  ]) {
    const path = signedFilePath('key', { publicId: 'abc', fileName, expires: 1 })
    t.equal(decodeURIComponent(new URL(path, 'http://x').pathname), `/files/abc/${fileName}`)
  }
})

t.test('nothing at which a chat or a mail program would end a link', async (t) => {
  const fileName = `it's (really!) *final*, [v2] {a|b}~.pdf`
  const path = signedFilePath('key', { publicId: 'abc', fileName, expires: 1 })
  t.match(path, /^\/files\/abc\/it%27s%20%28really%21%29%20%2Afinal%2A%2C%20%5Bv2%5D%20%7Ba%7Cb%7D~\.pdf\?/)
})

t.test('links end together, at least as late as they should and at most a quarter later', async (t) => {
  const hour = 3600
  for (const seconds of [1, 2, 3, 10, hour, 7 * 86_400]) {
    const ends = new Set<number>()
    for (let moment = 0; moment < seconds * 1000; moment += seconds * 10) {
      const now = 1_750_000_000_000 + moment
      const end = endOfLink(now, seconds)
      const lasts = end - Math.floor(now / 1000)
      t.ok(lasts >= seconds && lasts <= seconds * 1.25, `${lasts} of ${seconds}`)
      ends.add(end)
    }
    t.ok(ends.size <= 6, `${ends.size} different ends within ${seconds} s`)
  }
  t.equal(endOfLink(1_750_000_000_999, hour), endOfLink(1_750_000_000_000, hour))
})
