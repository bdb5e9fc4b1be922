/** Far more than requests about one room or message come at once. */
const mostTries = 200

/**
 * Asks until a statement has an answer. One that waits for another about the same row finds what that has changed, but not
 * what it has added: it then changes nothing, and is asked again.
 * @param ask resolves with `undefined` to be asked again
 */
export async function untilSeen<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error(`Another statement came between, ${mostTries} times in a row`)
}
