import t from 'tap'
import { StowageError } from '../../src/errors.ts'
import { fileNameFrom } from '../../src/lifecycle/file-name.ts'

t.test('names that are kept exactly', async (t) => {
  const names = [
    'Document.pdf',
    '請求書 2026.pdf',
    'say "hi".txt',
    'emoji 👩‍🚀.png',
    'rtl \u202egpj.exe',
    '100%.txt',
    '.hidden',
    '...',
    'thumbnail',
    'a'.repeat(255),
    'é'.repeat(127),
  ]
  for (const name of names) t.equal(fileNameFrom(name), name)
})

t.test('names are brought into normal form C', async (t) => {
  t.equal(fileNameFrom('e\u0301.txt'), '\u00e9.txt')
})

t.test('names that are refused, saying why', async (t) => {
  const refused: [string | undefined, RegExp][] = [
    [undefined, /missing/],
    ['', /missing/],
    ['a\nb', /control character/],
    ['a\0b', /control character/],
    ['a\u0085b', /control character/],
    ['../etc/passwd', /path separator/],
    ['C:\\boot.ini', /path separator/],
    ['.', /folder/],
    ['..', /folder/],
    ['\ud800', /Unicode/],
    ['a'.repeat(256), /255 bytes/],
    ['é'.repeat(128), /255 bytes/],
  ]
  for (const [name, why] of refused) t.throws(() => fileNameFrom(name), { code: 'invalid', message: why }, String(name))
  t.throws(() => fileNameFrom('/'), StowageError)
})
