/** Far more tries than requests about one room or message come at once. */
const mostTries = 200

/**
 * Repeats a statement until it has an answer. A statement that waits for another one about the same row sees the rows that the other
 * has changed, and not those that it has added. Then it changes nothing and is repeated.
 * @param ask resolves with `undefined` to be asked again
 */
export async function retryUntilVisible<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error(`Another statement came between, ${mostTries} times in a row`)
}
