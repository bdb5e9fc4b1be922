/**
 * Reads the messages that Postgres sends on one connection (PostgreSQL manual, chapter "Message Formats"): a letter, the length, the
 * content.
 * @param onMessage receives the letter and the content of each message
 * @returns a function that takes the bytes as they arrive
 */
export function readMessages(onMessage: (letter: string, content: Buffer) => void): (bytes: Buffer) => void {
  let chunks: Buffer[] = []
  let held = 0
  let wanted = 5
  return (bytes) => {
    chunks.push(bytes)
    held += bytes.length
    if (held < wanted) return
    let rest = Buffer.concat(chunks)
    while (rest.length >= 5 && rest.length >= 1 + rest.readUInt32BE(1)) {
      const end = 1 + rest.readUInt32BE(1)
      onMessage(String.fromCharCode(rest[0] as number), rest.subarray(5, end))
      rest = rest.subarray(end)
    }
    chunks = [rest]
    held = rest.length
    wanted = held < 5 ? 5 : 1 + rest.readUInt32BE(1)
  }
}
