import type { IncomingMessage } from 'node:http'

/** How MinIO tells of a disk without room, under the status 500 and the code InternalError, until it looks at the disk again. */
const words = 'no space left on device'

/** Bytes of an answer that are looked at. */
const most = 16 * 1024

/** Whether an error's message says that the store has no room. */
export function saysDiskFull(message: string): boolean {
  return message.includes(words)
}

/**
 * The error for an answer from which it does not follow whether the store has done what it was asked for.
 * @param message what is said of it
 * @returns an error with the code `ENOSPC` when the answer tells of a full disk. The answer is used up.
 */
export async function inconclusiveAnswer(answer: IncomingMessage, message: string): Promise<Error> {
  const error = new Error(message)
  return saysDiskFull(await beginningOf(answer)) ? Object.assign(error, { code: 'ENOSPC' }) : error
}

/** As much as comes of it: the answer may break off, or fall silent. */
async function beginningOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of answer) {
      text += chunk
      if (text.length > most) break
    }
  } catch {
    // What came of it is looked at.
  } finally {
    answer.destroy()
  }
  return text
}
