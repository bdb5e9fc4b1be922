import { spawnSync } from 'node:child_process'

/** How the reason of a skipped test begins where a program is missing. */
const without = 'without '
const optional = ' (optional)'

/**
 * For the `skip` option of tests that need a program: the reason when it does not run. `npm test` lists the reasons at its
 * end, and fails for them where CI is set.
 * @param isOptional not even every CI machine has it: what the program would say is tested without it as well
 */
export function skipWithout(
  what: string,
  [command = '', ...args]: string[],
  { isOptional = false } = {},
): string | false {
  return spawnSync(command, args).status !== 0 && reasonWithout(what, isOptional)
}

export function reasonWithout(what: string, isOptional = false): string {
  return without + what + (isOptional ? optional : '')
}

/** Whether a reason to skip is that something is missing which every CI machine has. */
export function isRequired(reason: string): boolean {
  return reason.startsWith(without) && !reason.endsWith(optional)
}
