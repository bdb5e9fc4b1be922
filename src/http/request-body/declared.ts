import { StowageError } from '#domain/errors.ts'

const hexDigits = { sha256: 64, md5: 32 }

type Algorithm = keyof typeof hexDigits

/** The digest a client declares for a file it sends, if it does. @throws StowageError `invalid` naming the field */
export function declaredChecksum(field: string, value: string, algorithm: Algorithm): string
export function declaredChecksum(field: string, value: string | undefined, algorithm: Algorithm): string | undefined
export function declaredChecksum(field: string, value: string | undefined, algorithm: Algorithm): string | undefined {
  if (value === undefined) return undefined
  const digits = hexDigits[algorithm]
  if (value.length !== digits || !/^[0-9a-f]+$/i.test(value))
    throw new StowageError('invalid', `The field "${field}" must be the file's ${algorithm} in ${digits} hex digits.`)
  return value.toLowerCase()
}

/** The size in bytes a client declares for a file it sends. @throws StowageError `invalid` naming the field */
export function declaredSize(field: string, value: string): number {
  const size = Number(value)
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(size))
    throw new StowageError('invalid', `The field "${field}" must be the file's size in bytes, a whole number.`)
  return size
}
