/**
 * What `source` yields until `signal` aborts; then throws the signal's reason at once, even while `source` keeps it
 * waiting for what never comes.
 */
export async function* abortable<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  const items = source[Symbol.asyncIterator]()
  let giveUp: (reason: unknown) => void = () => {}
  const onAbort = () => giveUp(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    while (true) {
      signal.throwIfAborted()
      // One promise an item: racing each against a promise that lives as long as the source keeps every race alive.
      const item = await new Promise<IteratorResult<T>>((resolve, reject) => {
        giveUp = reject
        items.next().then(resolve, reject)
      })
      if (item.done) return
      yield item.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not awaited: a source that is waiting for its next item answers only when that comes.
    Promise.resolve(items.return?.()).catch(() => {})
  }
}
