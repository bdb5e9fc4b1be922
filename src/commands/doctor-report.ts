/** What a doctor found, a line each on standard output. */
export class Report {
  healthy = true

  /**
   * Tells what was found, or what to fix.
   * @param run throws an Error that says what to fix
   * @returns what `run` found, `undefined` when something is wrong
   */
  async check<T>(name: string, run: () => Promise<T>, tell: (found: T) => string = String): Promise<T | undefined> {
    try {
      const found = await run()
      console.log(`ok    ${name}: ${tell(found)}`)
      return found
    } catch (error) {
      this.healthy = false
      console.log(`FAIL  ${name}: ${(error as Error).message}`)
      return undefined
    }
  }
}
