/**
 * Yields the items of `source` until `signal` aborts. Then it throws the signal's reason at once, even while `source` has
 * no item.
 */
export async function* abortable<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  const items = source[Symbol.asyncIterator]()
  let giveUp: (reason: unknown) => void = () => {}
  const onAbort = () => giveUp(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    while (true) {
      signal.throwIfAborted()
      // One promise per item: races against one long-lived promise would keep every item in memory.
      const item = await new Promise<IteratorResult<T>>((resolve, reject) => {
        giveUp = reject
        items.next().then(resolve, reject)
      })
      if (item.done) return
      yield item.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not awaited: `return` of a source that waits for its next item settles only after that item.
    Promise.resolve(items.return?.()).catch(() => {})
  }
}
