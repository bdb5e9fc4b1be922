import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Config } from '#config/config.ts'
import { type ClientTimeouts, limits } from '#domain/limits.ts'
import type { Logger } from '#domain/logger.ts'
import { throttleLog } from '#http/logging.ts'
import { RateWindow } from './rate-window.ts'
import { unacknowledged } from './unacknowledged.ts'

/** How slowly a client may read, and who is told when it is too slow. */
export interface ReaderLimits {
  config: Pick<Config, 'downloadIdleSeconds' | 'minimumRate'>
  timeouts: Pick<ClientTimeouts, 'rateWindow'>
  log(): Logger
  /** Called for each client that is turned away, with the reason. */
  onRefusal(reason: string): void
}

/**
 * Ends the connection of a client that does not read its answer, or reads it too slowly, while we have more for it. A client
 * that waits for us is not slow. When answers that are not read hold too much together, those that hold most end at once.
 * @param serve is called with the requests of a connection one after another
 * @returns `serve`, with every answer watched
 */
export function endSlowReaders(server: Server, serve: RequestListener, readers: ReaderLimits): RequestListener {
  const { config, timeouts, log, onRefusal } = readers
  /** The answer that is under way on each connection. */
  const answered = new Map<Socket, ServerResponse>()
  const held = new Map<Socket, SlowReader>()
  const tell = throttleLog(10_000)

  const end = (socket: Socket) => {
    socket.destroy()
    onRefusal('slow_reader')
    tell((more) => log().info({ more }, 'an answer that its client does not read, or too slowly, was ended'))
  }
  const look = async () => {
    for (const socket of holdingMost(answered, limits.unreadAnswers)) end(socket)
    for (const socket of answered.keys()) {
      if (socket.writableLength === 0 || socket.destroyed) held.delete(socket)
      else if (!held.has(socket)) held.set(socket, new SlowReader(config, timeouts.rateWindow))
    }
    if (held.size === 0) return
    const queueOf = await unacknowledged()
    for (const [socket, reader] of held) {
      const taken = socket.bytesWritten - socket.writableLength - queueOf(socket)
      if (reader.note(taken).isTooSlow) end(socket)
    }
  }
  const period = Math.min(1000, config.downloadIdleSeconds * 250, timeouts.rateWindow / 30)
  const stop = repeat(look, period, (err) => log().error({ err }, 'slow readers cannot be told'))
  server.once('close', stop)

  return (request, response) => {
    const { socket } = request
    answered.set(socket, response)
    response.once('close', () => {
      // The next request of the connection may be served by now.
      if (answered.get(socket) === response) answered.delete(socket)
      held.delete(socket)
    })
    serve(request, response)
  }
}

/**
 * The connections with the most that is not read, as many as hold what is above `most` bytes. An answer counts when it has
 * been written to its end: of a file that is not read the rest stays in the store.
 */
function holdingMost(answered: Map<Socket, ServerResponse>, most: number): Socket[] {
  const written = [...answered].filter(([socket, { writableEnded }]) => writableEnded && !socket.destroyed)
  const sockets = written.map(([socket]) => socket).sort((a, b) => b.writableLength - a.writableLength)
  let unread = sockets.reduce((bytes, { writableLength }) => bytes + writableLength, 0)
  const firstThatMayStay = sockets.findIndex(({ writableLength }) => {
    if (unread <= most) return true
    unread -= writableLength
    return false
  })
  return firstThatMayStay === -1 ? sockets : sockets.slice(0, firstThatMayStay)
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
class SlowReader {
  readonly #idle: number
  readonly #window: RateWindow
  #taken: number | undefined
  #at = performance.now()
  #lastByteAt = performance.now()

  /** @param window milliseconds */
  constructor({ downloadIdleSeconds, minimumRate }: ReaderLimits['config'], window: number) {
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
