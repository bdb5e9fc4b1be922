import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Answer, AnswerReader } from './answer-reader.ts'

/** A kept connection to a server, for one request at a time. */
export class Connection {
  readonly socket: Socket
  #reader: AnswerReader | undefined

  private constructor(socket: Socket) {
    this.socket = socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => {
      if (this.#reader) this.#reader.take(bytes)
      else socket.destroy(new Error('The server sent something that nobody had asked for'))
    })
    socket.on('error', (error) => this.#reader?.fail(error))
    socket.on('close', () => this.#reader?.fail(new Error('The server closed the connection before it had answered')))
  }

  static async open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    return new Connection(socket)
  }

  /**
   * Sends a request and reads the answer.
   * @param send writes the request; it is not waited for when the server answers before it is through
   * @param wants whether the answer's bytes are hashed
   */
  async exchange(
    send: (socket: Socket) => Promise<void>,
    wants: { sha256: boolean; timeoutSeconds: number },
  ): Promise<Answer> {
    if (this.socket.destroyed) throw new Error('The server has closed a connection that it should keep')
    const reader = new AnswerReader(wants.sha256)
    this.#reader = reader
    const late = setTimeout(
      () => this.socket.destroy(new Error(`No answer within ${wants.timeoutSeconds} s`)),
      wants.timeoutSeconds * 1000,
    )
    try {
      send(this.socket).catch((error) => reader.fail(error))
      return await reader.answer
    } finally {
      clearTimeout(late)
      this.#reader = undefined
    }
  }

  close(): void {
    this.socket.destroy()
  }
}
