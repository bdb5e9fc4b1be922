import { StowageError } from './errors.ts'
import { limits } from './limits.ts'

/** Any character except white space and characters without a glyph: joiners, direction marks, fillers, blanks. */
const visible = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]/u

/**
 * A file name as it is stored and returned: Unicode in normal form C, 1 to 255 bytes of UTF-8, with a visible character,
 * without control characters and path separators. Right-to-left marks and emoji are preserved.
 * @throws StowageError `invalid` with a message that states the correction
 */
export function fileNameFrom(text: string | undefined): string {
  const name = normalFormOf(text ?? '')
  if (name === undefined) throw tooLong(Buffer.byteLength(text ?? ''))
  if (name === '') throw refused('is missing: give the file a name')
  if (!name.isWellFormed()) throw refused('is not valid Unicode: send it as UTF-8')
  if (/\p{Cc}/u.test(name)) throw refused('holds a control character, such as a newline or NUL: remove it')
  if (/[/\\]/.test(name)) throw refused('holds a path separator: send the bare name, without folders')
  if (name === '.' || name === '..') throw refused('is a folder: send the name of a file')
  if (Buffer.byteLength(name) > limits.fileName) throw tooLong(Buffer.byteLength(name))
  if (!visible.test(name)) throw refused('holds nothing that can be seen: add letters or digits')
  return name
}

/** Whether a requested name is the stored name. Composed and decomposed letters are equal. */
export function isNamed(stored: string, requested: string): boolean {
  return stored === normalFormOf(requested)
}

/** @returns `undefined` for a text too long for a file name, because normalization takes time quadratic in the length */
export function normalFormOf(text: string): string | undefined {
  return text.length > limits.sentFileName ? undefined : text.normalize('NFC')
}

function tooLong(bytes: number): StowageError {
  return refused(`is longer than ${limits.fileName} bytes: it has ${bytes}. Shorten it`)
}

function refused(what: string): StowageError {
  return new StowageError('invalid', `The file name ${what}.`)
}
