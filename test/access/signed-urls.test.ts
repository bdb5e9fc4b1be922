import t from 'tap'
import { isSignatureOf, signedFilePath } from '../../src/access/signed-urls.ts'

const signatureIn = (path: string) => new URL(path, 'http://x').searchParams.get('signature') ?? ''

t.test('no field can be taken for part of another', async (t) => {
  const files = [
    { publicId: 'abc', fileName: 'x', expires: 12 },
    { publicId: 'abc', fileName: '2\nx', expires: 1 },
    { publicId: 'abc', fileName: '12\nx', expires: 12 },
    { publicId: 'abc1', fileName: 'x', expires: 2 },
    { publicId: 'abc', fileName: '', expires: 12 },
  ]
  const signatures = files.map((file) => signatureIn(signedFilePath('key', file)))
  t.equal(new Set(signatures).size, files.length)
  for (const [index, file] of files.entries())
    t.same(
      signatures.filter((signature) => isSignatureOf('key', file, signature)),
      [signatures[index]],
    )
})

t.test('a path that comes back as the name it was made of', async (t) => {
  for (const fileName of ['a b.txt', '100%.txt', 'a?b#c&d=e', '請求書 😀.pdf', '%2e%2e', '"\'<>`', '...', ';a=b', '+'])
    t.equal(
      decodeURIComponent(
        new URL(signedFilePath('key', { publicId: 'abc', fileName, expires: 1 }), 'http://x').pathname,
      ),
      `/files/abc/${fileName}`,
    )
})
