/** Cuts a body into consecutive pieces of given lengths, without keeping or copying any of it. */
export class Slices {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array()

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#chunks = body[Symbol.asyncIterator]()
  }

  /** The next `size` bytes, or fewer when the body ends. To be read to the end before the next call. */
  async *next(size: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = size; left > 0; ) {
      const chunk = await this.#chunk()
      if (chunk === undefined) return
      const taken = chunk.subarray(0, left)
      this.#rest = chunk.subarray(taken.length)
      left -= taken.length
      yield taken
    }
  }

  /** Whether nothing is left. */
  async isAtEnd(): Promise<boolean> {
    this.#rest = (await this.#chunk()) ?? this.#rest
    return this.#rest.length === 0
  }

  async #chunk(): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next()
      if (done) return undefined
      this.#rest = value
    }
    return this.#rest
  }
}
