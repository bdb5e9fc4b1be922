import { spawnSync } from 'node:child_process'

/**
 * For the `skip` option of tests that need a program: the reason when it does not run, printed too, so that nobody
 * overlooks it. Where CI is set nothing is skipped, and the tests fail.
 */
export function skipWithout(what: string, [command = '', ...args]: string[]): string | false {
  if (process.env.CI || spawnSync(command, args).status === 0) return false
  console.error(`SKIPPED: there is no ${what} here. In CI this is a failure.`)
  return `no ${what}`
}
