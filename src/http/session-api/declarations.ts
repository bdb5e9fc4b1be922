import { StowageError } from '#domain/errors.ts'
import { declaredChecksum, declaredSize } from '#http/request-body/declared-values.ts'
import type { FormField } from '#http/request-body/form.ts'

type Algorithm = Parameters<typeof declaredChecksum>[2]

/** The fields `fileChecksum` and `fileSize` of a form: at most one each per file, before the file and in the same order. */
export class Declarations {
  readonly #algorithm: Algorithm
  readonly #checksums: string[] = []
  readonly #sizes: number[] = []
  #files = 0

  constructor(algorithm: Algorithm) {
    this.#algorithm = algorithm
  }

  /** The number of files so far. */
  get files(): number {
    return this.#files
  }

  /** @throws StowageError `invalid` for an invalid value, and for one after its file */
  add({ name, value }: FormField): void {
    if (name === 'fileChecksum') this.#append(this.#checksums, name, declaredChecksum(name, value, this.#algorithm))
    if (name === 'fileSize') this.#append(this.#sizes, name, declaredSize(name, value))
  }

  /** Counts the next file. @returns its declarations */
  next(): { declaredChecksum: string | undefined; declaredSize: number | undefined } {
    const declared = { declaredChecksum: this.#checksums[this.#files], declaredSize: this.#sizes[this.#files] }
    this.#files += 1
    return declared
  }

  /** @throws StowageError `invalid` when more files were declared than received */
  end(): void {
    if (Math.max(this.#checksums.length, this.#sizes.length) > this.#files)
      throw new StowageError('invalid', 'More files are declared than the form holds. Send them all.')
  }

  #append<T>(declared: T[], field: string, value: T): void {
    if (declared.length < this.#files)
      throw new StowageError('invalid', `The field "${field}" comes after its file. Send it before.`)
    declared.push(value)
  }
}
