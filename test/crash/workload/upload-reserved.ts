import { setTimeout as delay } from 'node:timers/promises'
import { type Act, type Client, isOk, jsonOf } from './client.ts'
import { anyBytes, type Bytes, bytesOf, severalParts } from './content.ts'
import { nameOf, type SentFile } from './journal.ts'

const tries = 4

/** Milliseconds between two looks at how an attempt ended. */
const pause = 150

/** Announces a file. @returns `undefined` when it is not known whether it was taken */
async function reserve(client: Client, way: string, content: Bytes): Promise<SentFile | undefined> {
  const { random, journal, chat } = client
  const [file] = journal.add(way, true, [content]).files as [SentFile]
  const json = {
    ...{ messageId: chat.messageId, fileName: nameOf(file), fileSize: content.size },
    ...(random.between(1, 2) === 1 && { fileChecksum: content.sha256 }),
  }
  const answer = await client.ask({ method: 'POST', path: '/api/v1/attachments', json })
  if (!isOk(answer)) return undefined
  file.id = jsonOf<{ attachmentId: number }>(answer).attachmentId
  return file
}

function put(
  client: Client,
  file: SentFile,
  { bytes: body }: Bytes,
  more: { over?: number; breakAfter?: number } = {},
) {
  const path = `/api/v1/attachments/${file.id}/${nameOf(file)}`
  const headers = { 'content-type': 'application/octet-stream' }
  return client.ask({ method: 'PUT', path, headers, body, ...more })
}

/** A reservation whose bytes are sent again after a failure, as a client does that wants its file to arrive. */
export const uploadReserved: Act = async (client) => {
  const { random, journal } = client
  const content = anyBytes(random)
  const file = await reserve(client, 'a PUT', content)
  if (file === undefined) return
  if (random.between(1, 3) === 1) {
    const json = { attachmentState: 'ChecksumCalculationOnClientSideInProgress' }
    await client.ask({ method: 'PATCH', path: `/api/v1/attachments/${file.id}`, json })
  }
  for (let tried = 1; tried <= tries && !client.isLeaving(); tried++) {
    const breaksOff = tried === 1 && content.size > 1 && random.between(1, 5) === 1
    const answer = await put(client, file, content, {
      over: content.size > 2 ** 20 ? random.between(0, 800) : 0,
      ...(breaksOff && { breakAfter: random.between(0, content.size - 1) }),
    })
    if (isOk(answer)) {
      journal.acknowledge(file.group, [file.id as number])
      break
    }
    if ((await settled(client, file)) === 'ReadyForDownloadFromServerToClient') break
  }
  journal.release([file])
}

/** Waits until no attempt is under way. @returns the state then, as far as it could be learned */
async function settled(client: Client, file: SentFile): Promise<string | undefined> {
  for (let looks = 0; looks < 40 && !client.isLeaving(); looks++) {
    const answer = await client.ask({ method: 'GET', path: `/api/v1/attachments/${file.id}` })
    const state = isOk(answer) ? jsonOf<{ attachmentState: string }>(answer).attachmentState : undefined
    if (state !== undefined && !/^(Upload|ChecksumVerif).*InProgress$/.test(state)) return state
    await delay(pause)
  }
  return undefined
}

/** Deletes a file while its bytes arrive: they must be gone even when the write comes to its end afterwards. */
export const deleteMidUpload: Act = async (client) => {
  const { random, journal } = client
  const content = random.between(1, 2) === 1 ? severalParts(random) : bytesOf(random, 300_000)
  const file = await reserve(client, 'a PUT that is deleted meanwhile', content)
  if (file === undefined) return
  journal.removalAsked([file])
  const over = 400
  const sending = put(client, file, content, { over })
  await delay(random.between(0, over))
  const answer = await client.ask({ method: 'DELETE', path: `/api/v1/attachments/${file.id}` })
  if (isOk(answer)) journal.removalAcknowledged([file])
  await sending
}
