/** Logs the resources that are still open. */
export type Tell = (details: { stillOpen: Record<string, number> }, message: string) => void

/** Ends the process when it does not end by itself: a silent dependency can keep sockets open that nobody can close. */
export class ForcedExit {
  #timer: NodeJS.Timeout | undefined
  /** Writes to the console until a logger takes its place. */
  tell: Tell = (details, message) => console.error(message, details)

  /**
   * Sets the time anew.
   * @param seconds from now
   */
  endWithin(seconds: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#end(), seconds * 1000)
  }

  /** Nothing is left to be done: the process may stay alive for `seconds` more. */
  allDone(seconds: number): void {
    this.endWithin(seconds)
    this.#timer?.unref()
  }

  #end(): void {
    const stillOpen: Record<string, number> = {}
    for (const kind of process.getActiveResourcesInfo()) stillOpen[kind] = (stillOpen[kind] ?? 0) + 1
    this.tell({ stillOpen }, 'not everything could be closed, ending all the same')
    process.exit()
  }
}

/** Milliseconds within which a second signal is the same Ctrl-C, which the terminal sends and npm passes on. */
const sameCtrlC = 500

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function onStopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    let askedAt: number | undefined
    const stop = () => {
      if (askedAt !== undefined && performance.now() - askedAt > sameCtrlC) process.exit(130)
      askedAt ??= performance.now()
      resolve(undefined)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}
