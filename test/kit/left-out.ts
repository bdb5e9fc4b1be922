import { isRequired } from './programs.ts'

/** A reason for which tests were skipped. */
export interface LeftOut {
  reason: string
  tests: number
  files: string[]
}

/** Reads from what tap has printed, as TAP, which tests were skipped. */
export function leftOutOf(results: string): LeftOut[] {
  const all = new Map<string, LeftOut>()
  let reasons: string[] = []
  for (const line of results.split('\n')) {
    const reason = /^ +ok \d.* # SKIP (.*)$/.exec(line)?.[1]
    if (reason !== undefined) reasons.push(reason)
    // The result of a file comes after those of its tests.
    const file = /^(?:not )?ok \d+ - (\S+\.ts)\b/.exec(line)?.[1]
    if (file === undefined) continue
    for (const reason of reasons) {
      const known = all.get(reason) ?? { reason, tests: 0, files: [] }
      all.set(reason, { reason, tests: known.tests + 1, files: [...new Set([...known.files, file])] })
    }
    reasons = []
  }
  return [...all.values()]
}

/** The reasons for people, a line each; nothing where all tests ran. */
export function describeLeftOut(leftOut: readonly LeftOut[], isCi: boolean): string {
  if (leftOut.length === 0) return ''
  const lines = leftOut.map(({ reason, tests, files }) => {
    const mark = isCi && isRequired(reason) ? 'MISSING' : 'LEFT OUT'
    return `${mark}, ${reason}: ${count(tests, 'test')} in ${files.length > 3 ? count(files.length, 'file') : files.join(', ')}`
  })
  const end = isCi ? 'Where CI is set, a missing program is a failure.' : 'In CI, a missing program is a failure.'
  return [...lines.toSorted(), `test/kit/README.md tells what each test needs. ${end}`].join('\n')
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
