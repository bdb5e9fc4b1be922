import { basename } from 'node:path'

/** The name of the running test file, short, in lower-case letters and digits joined by `separator`. */
export function nameOfTestFile(separator: string): string {
  const words =
    basename(process.argv[1] ?? 'test', '.test.ts')
      .toLowerCase()
      .match(/[a-z0-9]+/g) ?? []
  return words.join(separator).slice(0, 40)
}
