import fc from 'fast-check'

/** With a composed and a decomposed é, an emoji of several code points, and right-to-left text. */
const plain = ['a.txt', 'Bericht é.pdf', 'e\u0301.pdf', '👩‍👩‍👧.png', 'قائمة.txt', 'two words.tar.gz', '契約書']

/** Names that are taken, for a form's file too; they are kept in normal form C. */
export const plainNames = fc.constantFrom(...plain)

export const legalNames = fc.constantFrom(
  ...plain,
  '%41.txt',
  'a"b;c=d.txt',
  '#?&+.txt',
  '...',
  `${'x'.repeat(251)}.txt`,
  '\u{1f600}'.repeat(63),
)

export const illegalNames = fc.constantFrom(
  '',
  '.',
  '..',
  'a/b.txt',
  'a\\b.txt',
  'a\nb.txt',
  'nul\0.txt',
  'x'.repeat(256),
  '\u{1f600}'.repeat(64),
  'half of a pair \ud83d',
)

export const kept = (name: string): string => name.normalize('NFC')

/** By the rules of the contract, said in another way than the server says them. */
export function isLegal(name: string): boolean {
  const bytes = Buffer.byteLength(kept(name))
  const isPlain = [...name].every(
    (character) => character > '\x1f' && character !== '\x7f' && !'/\\'.includes(character),
  )
  return bytes >= 1 && bytes <= 255 && isPlain && name !== '.' && name !== '..' && name.isWellFormed()
}
