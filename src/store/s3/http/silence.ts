import type { IncomingMessage } from 'node:http'

/** How many questions in a row a store must leave unanswered to be taken for silent. */
const mostUnanswered = 2

/**
 * Waits for a response that may take long, and sends other requests at the same time: a store that responds to them is slow,
 * not silent. So an outage is noticed soon, and a store that copies parts is given the time.
 * @param send the request to wait for
 * @param isResponsive sends another request and resolves to whether the store responds
 * @param silence milliseconds without any response
 */
export async function whileResponsive<T>(
  send: (abortSignal: AbortSignal) => Promise<T>,
  isResponsive: (abortSignal: AbortSignal) => Promise<boolean>,
  silence: number,
): Promise<T> {
  const silent = new AbortController()
  const pause = silence / 2
  let unanswered = 0
  let timer: NodeJS.Timeout | undefined
  const ask = async () => {
    const isAlive = await isResponsive(AbortSignal.any([silent.signal, AbortSignal.timeout(pause)]))
    unanswered = isAlive ? 0 : unanswered + 1
    if (silent.signal.aborted) return
    if (unanswered === mostUnanswered) return silent.abort('The object store answers nothing at all.')
    timer = setTimeout(ask, isAlive ? pause : 0)
  }
  timer = setTimeout(ask, pause)
  try {
    return await send(silent.signal)
  } finally {
    clearTimeout(timer)
    silent.abort('The store has answered.')
  }
}

/**
 * Destroys a response when its reader waits and no byte arrives for `silence` ms. The socket is examined twice in that time,
 * because a reader that took long may have begun to wait only now.
 */
export function failWhenSilent(body: IncomingMessage, silence: number): void {
  let waitingAt: number | undefined
  body.setTimeout(silence / 2, () => {
    const received = body.readableLength === 0 ? body.socket.bytesRead : undefined
    if (received !== undefined && received === waitingAt)
      return void body.destroy(new Error(`The object store sent nothing for ${silence} ms in the middle of an object`))
    waitingAt = received
    body.setTimeout(silence / 2)
  })
}

/**
 * Whether a wait was ended by its limit. The SDK would try again, and three waits are longer than a client's patience. The
 * handler gives the same name to lost connections, which are worth another try.
 */
export function isTimeout(error: unknown): boolean {
  const { name, code } = error as NodeJS.ErrnoException
  return name === 'TimeoutError' && code !== 'ECONNRESET' && code !== 'EPIPE'
}
