import { StowageError } from './errors.ts'
import { limits } from './limits.ts'

/** Any character but white space and those without a shape: joiners, marks of direction, fillers, blanks. */
const visible = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]/u

/**
 * A file name as it is stored and returned: Unicode in normal form C, 1 to 255 bytes of UTF-8, something to be seen in it,
 * any character but control characters and path separators. Right-to-left marks and emoji stay as they are.
 * @throws StowageError `invalid` saying what to change
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

/** Whether a name that a client asks for is the one that is kept, whichever way its letters are composed. */
export function isNamed(kept: string, asked: string): boolean {
  return kept === normalFormOf(asked)
}

/** `undefined` for a text too long to be a file name: bringing text into normal form takes the square of its length. */
export function normalFormOf(text: string): string | undefined {
  return text.length > limits.sentFileName ? undefined : text.normalize('NFC')
}

function tooLong(bytes: number): StowageError {
  return refused(`is longer than ${limits.fileName} bytes: it has ${bytes}. Shorten it`)
}

function refused(what: string): StowageError {
  return new StowageError('invalid', `The file name ${what}.`)
}
