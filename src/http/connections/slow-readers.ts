import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Config } from '#config/config.ts'
import { type ClientTimeouts, limits } from '#domain/limits.ts'
import type { Logger } from '#domain/logger.ts'
import { throttleLog } from '#http/logging.ts'
import { RateWindow } from './rate-window.ts'
import { unacknowledged } from './unacknowledged.ts'

/** The limits on slow clients, and the log and callback for their refusals. */
export interface ReaderLimits {
  config: Pick<Config, 'downloadIdleSeconds' | 'minimumRate'>
  timeouts: Pick<ClientTimeouts, 'rateWindow'>
  log(): Logger
  /** Called for each client that is refused, with the reason. */
  onRefusal(reason: string): void
}

/**
 * Ends the connection of a client that does not read its response, or reads it too slowly, while the server has more to send. A
 * client that waits for the server is not slow. When unread responses hold too many bytes together, the connections that hold
 * most end at once.
 * @param serve receives the requests of a connection one after another
 * @returns `serve`, with every response watched
 */
export function endSlowReaders(server: Server, serve: RequestListener, readers: ReaderLimits): RequestListener {
  const { config, timeouts, log, onRefusal } = readers
  /** The response in progress on each connection. */
  const responses = new Map<Socket, ServerResponse>()
  const watched = new Map<Socket, SlowReader>()
  const logThrottled = throttleLog(10_000)

  const end = (socket: Socket) => {
    socket.destroy()
    onRefusal('slow_reader')
    logThrottled((more) => log().info({ more }, 'an answer that its client does not read, or too slowly, was ended'))
  }
  const checkReaders = async () => {
    for (const socket of heaviestUnread(responses, limits.unreadAnswers)) end(socket)
    for (const socket of responses.keys()) {
      if (socket.writableLength === 0 || socket.destroyed) watched.delete(socket)
      else if (!watched.has(socket)) watched.set(socket, new SlowReader(config, timeouts.rateWindow))
    }
    if (watched.size === 0) return
    const queueOf = await unacknowledged()
    for (const [socket, reader] of watched) {
      const taken = socket.bytesWritten - socket.writableLength - queueOf(socket)
      if (reader.record(taken).isTooSlow) end(socket)
    }
  }
  const period = Math.min(1000, config.downloadIdleSeconds * 250, timeouts.rateWindow / 30)
  const stop = runPeriodically(checkReaders, period, (err) => log().error({ err }, 'slow readers cannot be told'))
  server.once('close', stop)

  return (request, response) => {
    const { socket } = request
    responses.set(socket, response)
    response.once('close', () => {
      // The next request of the connection may already have its response here.
      if (responses.get(socket) === response) responses.delete(socket)
      watched.delete(socket)
    })
    serve(request, response)
  }
}

/**
 * The connections with the most unread bytes, as many as bring the total down to `maxBytes`. A response counts only when it is
 * completely written, since the unread rest of a file stays in the store.
 */
function heaviestUnread(responses: Map<Socket, ServerResponse>, maxBytes: number): Socket[] {
  const written = [...responses].filter(([socket, { writableEnded }]) => writableEnded && !socket.destroyed)
  const sockets = written.map(([socket]) => socket).sort((a, b) => b.writableLength - a.writableLength)
  let unread = sockets.reduce((bytes, { writableLength }) => bytes + writableLength, 0)
  const firstToKeep = sockets.findIndex(({ writableLength }) => {
    if (unread <= maxBytes) return true
    unread -= writableLength
    return false
  })
  return firstToKeep === -1 ? sockets : sockets.slice(0, firstToKeep)
}

/**
 * Runs `work` at intervals, never concurrently.
 * @param period milliseconds
 * @returns a function that ends the runs
 */
function runPeriodically(work: () => Promise<void>, period: number, onError: (error: unknown) => void): () => void {
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

/** A client that has unread bytes. */
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

  /** @param taken the bytes of the connection that the client has received so far */
  record(taken: number): this {
    const at = performance.now()
    // A write that the kernel has accepted in part is still in `writableLength` and already in the queue of the kernel. So `taken`
    // can decrease until the write is complete.
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
