/** Prints the result of each check as one line on standard output. */
export class Report {
  healthy = true

  /**
   * Runs a check and prints its result, or the fix.
   * @param run throws an Error that names the fix
   * @param describe formats the result
   * @returns the result of `run`; `undefined` when the check fails
   */
  async check<T>(name: string, run: () => Promise<T>, describe: (found: T) => string = String): Promise<T | undefined> {
    try {
      const found = await run()
      console.log(`ok    ${name}: ${describe(found)}`)
      return found
    } catch (error) {
      this.healthy = false
      console.log(`FAIL  ${name}: ${(error as Error).message}`)
      return undefined
    }
  }
}
