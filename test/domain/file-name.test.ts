import t from 'tap'
import { StowageError } from '#domain/errors.ts'
import { fileNameFrom } from '#domain/file-name.ts'

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
    ' a ',
    '\u200b.',
    '\u0301',
    'a'.repeat(255),
    'é'.repeat(127),
  ]
  for (const name of names) t.equal(fileNameFrom(name), name)
})

t.test('names are brought into normal form C', async (t) => {
  t.equal(fileNameFrom('\u1112\u1161\u11ab'.repeat(85)), '한'.repeat(85), 'and may be longer before')
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
    ['a'.repeat(256), /255 bytes: it has 256/],
    ['é'.repeat(128), /255 bytes: it has 256/],
    ['a'.repeat(1025), /255 bytes: it has 1025/],
    ['e\u0301'.repeat(600), /255 bytes: it has 1800/],
    [' ', /nothing that can be seen/],
    ['\u00a0\u2003\u3000', /nothing that can be seen/],
    ['\u200b\u200d\u2060\ufeff', /nothing that can be seen/],
    ['\u202e\u00ad\u3164\u2800\ufe0f', /nothing that can be seen/],
  ]
  for (const [name, why] of refused) t.throws(() => fileNameFrom(name), { code: 'invalid', message: why }, String(name))
  t.throws(() => fileNameFrom('/'), StowageError)
})
