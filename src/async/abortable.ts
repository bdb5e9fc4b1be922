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

/** The result of `work`, or the signal's reason at once when that aborts first. The work may continue after that. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
