/**
 * S3's encoding for a body that is followed by its checksum: the body is sent in frames, and a trailer follows the last one.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 */

const frameSize = 1024 * 1024
const lineBreak = Buffer.from('\r\n')
const trailerName = 'x-amz-checksum-crc32'
/** Characters of a CRC32 in base64. */
const checksumLength = 8

/** The headers of a body of `size` bytes that {@link withTrailer} encodes. */
export function trailerHeaders(size: number): Record<string, string> {
  return {
    'content-encoding': 'aws-chunked',
    'content-length': String(encodedLength(size)),
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'x-amz-decoded-content-length': String(size),
    'x-amz-trailer': trailerName,
  }
}

/**
 * The frames of exactly `size` bytes, and the trailer. Frames begin at fixed offsets, independent of the chunks. So the
 * encoded length is known beforehand, and no bytes are held back.
 * @param checksum called after the last byte has passed
 */
export async function* withTrailer(
  bytes: AsyncIterable<Uint8Array>,
  size: number,
  checksum: () => string,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = size
  let inFrame = 0
  for await (const chunk of bytes) {
    for (let rest = chunk; rest.length > 0; ) {
      if (inFrame === 0) {
        inFrame = Math.min(frameSize, left)
        yield frameHead(inFrame)
      }
      const taken = rest.subarray(0, inFrame)
      yield taken
      rest = rest.subarray(taken.length)
      left -= taken.length
      inFrame -= taken.length
      if (inFrame === 0) yield lineBreak
    }
  }
  yield Buffer.from(`0\r\n${trailerName}:${checksum()}\r\n\r\n`)
}

function encodedLength(size: number): number {
  const lastFrame = size % frameSize
  const fullFrames = (size - lastFrame) / frameSize
  const framed = (bytes: number) => frameHead(bytes).length + bytes + lineBreak.length
  const trailer = `0\r\n${trailerName}:`.length + checksumLength + 2 * lineBreak.length
  return fullFrames * framed(frameSize) + (lastFrame > 0 ? framed(lastFrame) : 0) + trailer
}

function frameHead(bytes: number): Buffer {
  return Buffer.from(`${bytes.toString(16)}\r\n`)
}
