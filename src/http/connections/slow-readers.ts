import type { RequestListener, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Connections } from './http-server.ts'
import { RateWindow } from './rate-window.ts'
import { logAtMostOften } from './sparse-log.ts'
import { unacknowledged } from './unacknowledged.ts'

/**
 * Ends the connection of a client that does not read its answer, or reads it too slowly, while we have more for it. A client
 * that waits for us is not slow.
 * @returns `serve`, with every answer watched
 */
export function watchReaders(server: Server, serve: RequestListener, connections: Connections): RequestListener {
  const { config, patience, log, onRefusal } = connections
  const answered = new Set<Socket>()
  const held = new Map<Socket, HeldBack>()
  const tell = logAtMostOften(10_000)

  const look = async () => {
    for (const socket of answered) {
      if (socket.writableLength === 0 || socket.destroyed) held.delete(socket)
      else if (!held.has(socket)) held.set(socket, new HeldBack(config, patience.rateWindow))
    }
    if (held.size === 0) return
    const queueOf = await unacknowledged()
    for (const [socket, reader] of held) {
      if (!reader.note(socket.bytesWritten - socket.writableLength - queueOf(socket)).isTooSlow) continue
      socket.destroy()
      onRefusal('slow_reader')
      tell((more) => log().info({ more }, 'an answer that its client does not read, or too slowly, was ended'))
    }
  }
  const period = Math.min(1000, config.downloadIdleSeconds * 250, patience.rateWindow / 30)
  const stop = repeat(look, period, (err) => log().error({ err }, 'slow readers cannot be told'))
  server.once('close', stop)

  return (request, response) => {
    const { socket } = request
    answered.add(socket)
    response.once('close', () => {
      answered.delete(socket)
      held.delete(socket)
    })
    serve(request, response)
  }
}

/** Never twice at once. @param period milliseconds */
function repeat(work: () => Promise<void>, period: number, onError: (error: unknown) => void): () => void {
  let isBusy = false
  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    work()
      .catch(onError)
      .finally(() => {
        isBusy = false
      })
  }, period)
  timer.unref()
  return () => clearInterval(timer)
}

/** A client for which there is more than it takes. */
class HeldBack {
  readonly #idle: number
  readonly #window: RateWindow
  #taken: number | undefined
  #at = performance.now()
  #lastByteAt = performance.now()

  /** @param window milliseconds */
  constructor({ downloadIdleSeconds, minimumRate }: Connections['config'], window: number) {
    this.#idle = downloadIdleSeconds * 1000
    this.#window = new RateWindow(minimumRate, window)
  }

  /** @param taken bytes of the connection that it has by now */
  note(taken: number): this {
    const at = performance.now()
    // What the kernel has taken in part counts when it has all of it: until then it seems to be given back.
    const bytes = Math.max(0, taken - (this.#taken ?? taken))
    this.#window.count(bytes, at - this.#at)
    if (bytes > 0) this.#lastByteAt = at
    this.#taken = taken
    this.#at = at
    return this
  }

  get isTooSlow(): boolean {
    return this.#at - this.#lastByteAt >= this.#idle || this.#window.isTooSlow
  }
}
