/** @throws Error when a body does not have as many bytes as its caller vouched for */
export function assertSize(actual: number, announced: number): void {
  if (actual !== announced) throw new Error(`The body has ${actual} bytes or more, not ${announced} as announced`)
}

/** `body`; fails at the byte that is one too many, or at the end when there were too few. */
export async function* exactly(
  body: AsyncIterable<Uint8Array>,
  announced: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let count = 0
  for await (const chunk of body) {
    count += chunk.length
    if (count > announced) break
    yield chunk
  }
  assertSize(count, announced)
}
