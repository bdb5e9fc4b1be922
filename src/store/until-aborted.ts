/**
 * The chunks of `body` until `signal` aborts; then throws the signal's reason at once, even while `body` keeps it
 * waiting for a chunk.
 */
export async function* untilAborted(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = body[Symbol.asyncIterator]()
  let giveUp: (reason: unknown) => void = () => {}
  const onAbort = () => giveUp(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    while (true) {
      signal.throwIfAborted()
      // One promise a chunk: racing each chunk against a promise that lives as long as the body keeps every race alive.
      const chunk = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject
        chunks.next().then(resolve, reject)
      })
      if (chunk.done) return
      yield chunk.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not awaited: a body that is waiting for its next chunk answers only when that comes.
    Promise.resolve(chunks.return?.()).catch(() => {})
  }
}
