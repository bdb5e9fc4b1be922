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
