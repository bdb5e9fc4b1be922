import { createCipheriv } from 'node:crypto'

/** Bytes that look random and are the same each time. */
export function bytesOf(size: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), Buffer.alloc(16)).update(Buffer.alloc(size))
}

/** `bytes` in chunks of one size, from a buffer that is overwritten after each, as a reader with its own buffer does. */
export async function* chunksOf(bytes: Buffer, chunkSize: number): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(chunkSize)
  for (let start = 0; start < bytes.length; start += chunkSize) {
    const length = bytes.copy(chunk, 0, start, start + chunkSize)
    yield chunk.subarray(0, length)
    chunk.fill(0)
  }
}

/**
 * `bytes` in chunks whose sizes take turns, each left as it is once it was handed out, as those of a socket are: a store
 * that was told the size passes them on without copying.
 */
export async function* keptChunksOf(bytes: Buffer, ...chunkSizes: number[]): AsyncGenerator<Uint8Array> {
  for (let start = 0, turn = 0; start < bytes.length; turn += 1) {
    const length = chunkSizes[turn % chunkSizes.length] as number
    yield bytes.subarray(start, start + length)
    start += length
  }
}

/** `bytes` and then a failure. */
export async function* failingAfter(bytes: Buffer, error: Error): AsyncGenerator<Uint8Array> {
  yield* keptChunksOf(bytes, 65_536)
  throw error
}

/** `bytes` and then nothing, without ever ending; `onWaiting` when they have all been taken. */
export async function* hangingAfter(bytes: Buffer, onWaiting: () => void = () => {}): AsyncGenerator<Uint8Array> {
  yield* keptChunksOf(bytes, 65_536)
  onWaiting()
  await new Promise(() => {})
}

/** A body that aborts its own upload after its first bytes and never ends; `closed` resolves when it is let go of. */
export function abortingBody(controller: AbortController): { body: AsyncGenerator<Uint8Array>; closed: Promise<void> } {
  const closed = Promise.withResolvers<void>()
  async function* body() {
    try {
      yield bytesOf(10)
      controller.abort()
      while (true) yield bytesOf(10)
    } finally {
      closed.resolve()
    }
  }
  return { body: body(), closed: closed.promise }
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
