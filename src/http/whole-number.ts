import { StowageError } from '#domain/errors.ts'

/** Reads a number in a query. @throws StowageError `invalid` that names it */
export function wholeNumber(name: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (!/^\d{1,16}$/.test(text) || number < least || number > most)
    throw new StowageError('invalid', `${name} must be a whole number from ${least} to ${most}.`)
  return number
}
