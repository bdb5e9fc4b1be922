import { StowageError } from '../errors.ts'

const longest = 255

/**
 * A file name as it is stored and returned: Unicode in normal form C, 1 to 255 bytes of UTF-8, any character but control
 * characters and path separators. Right-to-left marks and emoji stay as they are.
 * @throws StowageError `invalid` saying what to change
 */
export function fileNameFrom(text: string | undefined): string {
  const name = (text ?? '').normalize('NFC')
  if (name === '') throw refused('is missing: give the file a name')
  if (!name.isWellFormed()) throw refused('is not valid Unicode: send it as UTF-8')
  if (/\p{Cc}/u.test(name)) throw refused('holds a control character, such as a newline or NUL: remove it')
  if (/[/\\]/.test(name)) throw refused('holds a path separator: send the bare name, without folders')
  if (name === '.' || name === '..') throw refused('is a folder: send the name of a file')
  if (Buffer.byteLength(name) > longest) throw refused(`is longer than ${longest} bytes: shorten it`)
  return name
}

function refused(what: string): StowageError {
  return new StowageError('invalid', `The file name ${what}.`)
}
