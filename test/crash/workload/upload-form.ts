import { fieldHeaders, fileHeaders, multipartBody, newBoundary } from '../../kit/multipart.ts'
import type { SeededRandom } from '../../kit/seeded-random.ts'
import { type Act, type Ask, type Client, isOk, jsonOf } from './client.ts'
import { anyBytes, type Bytes, bytesOf, severalParts } from './content.ts'
import { nameOf, type SentGroup } from './journal.ts'

interface FormOptions {
  way: string
  contents: Bytes[]
  messageId?: number
  /** Fields before the files. */
  fields?: [name: string, value: string][]
  isBearer?: boolean
  authorization?: string
  isSound?: boolean
  /** Hangs up somewhere before the end. */
  isBrokenOff?: boolean
}

/** Sends a form and writes down what became of it. @returns the files, still busy */
export async function sendForm(client: Client, options: FormOptions): Promise<SentGroup> {
  const { journal } = client
  const { way, contents, isBrokenOff = false, isSound = !isBrokenOff } = options
  const group = journal.add(way, isSound, contents)
  const answer = await client.ask({ ...requestOf(client, group, options), ...paceOf(client.random, contents) })
  if (!isOk(answer)) return group
  const { attachmentIds, id } = jsonOf<{ attachmentIds?: number[]; id?: string }>(answer)
  journal.acknowledge(group, attachmentIds ?? [id as string])
  return group
}

function requestOf({ random, chat }: Client, group: SentGroup, options: FormOptions): Ask {
  const { contents, fields = [], isBearer = false, messageId = chat.messageId, authorization, isBrokenOff } = options
  const boundary = newBoundary()
  const field = isBearer ? 'file' : 'files'
  const body = multipartBody(boundary, [
    ...fields.map(([name, value]) => ({ headers: fieldHeaders(name), body: value })),
    ...group.files.map((file, index) => ({
      headers: fileHeaders(field, nameOf(file)),
      body: contents[index]?.bytes ?? '',
    })),
  ])
  return {
    method: 'POST',
    path: isBearer ? '/v1/attachments' : `/api/v1/messages/${messageId}/attachments`,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body,
    isBearer,
    isChunked: random.between(1, 2) === 1,
    ...(authorization && { authorization }),
    // Before the closing boundary, without which no form is whole.
    ...(isBrokenOff && { breakAfter: random.between(0, body.length - boundary.length - 8) }),
  }
}

/** Large files take a while, so that kills find them on their way. */
function paceOf(random: SeededRandom, contents: Bytes[]): { over?: number } {
  const size = contents.reduce((sum, content) => sum + content.size, 0)
  return size > 2 ** 20 ? { over: random.between(0, 1000) } : {}
}

function declaredSizes(contents: Bytes[]): [string, string][] {
  return contents.map(({ size }) => ['fileSize', String(size)])
}

/** One to three files, now and then with their sizes or digests. */
export const uploadForm: Act = async (client) => {
  const { random, journal } = client
  const count = random.between(1, 3)
  const contents = Array.from({ length: count }, () => anyBytes(random))
  const sizes = random.between(1, 2) === 1 ? declaredSizes(contents) : []
  const digests: [string, string][] =
    random.between(1, 3) === 1 ? contents.map(({ sha256 }) => ['fileChecksum', sha256]) : []
  const way = `a form of ${count}${sizes.length > 0 ? ' that declares sizes' : ''}`
  const group = await sendForm(client, { way, contents, fields: [...sizes, ...digests] })
  journal.release(group.files)
}

/** One of several parts, since nobody says how long it is. */
export const uploadLargeForm: Act = async (client) => {
  const contents = [severalParts(client.random)]
  client.journal.release((await sendForm(client, { way: 'a large form', contents })).files)
}

export const uploadBearerForm: Act = async (client) => {
  const contents = [anyBytes(client.random)]
  client.journal.release((await sendForm(client, { way: 'a bearer form', contents, isBearer: true })).files)
}

export const hangUp: Act = async (client) => {
  const { random, journal } = client
  const contents = [anyBytes(random), anyBytes(random)]
  journal.release((await sendForm(client, { way: 'a form that breaks off', contents, isBrokenOff: true })).files)
}

/** Most of the time in the midst of a multipart upload. */
export const hangUpLarge: Act = async (client) => {
  const contents = [severalParts(client.random)]
  const options = { way: 'a large form that breaks off', contents, isBrokenOff: true }
  client.journal.release((await sendForm(client, options)).files)
}

export const sendWrongDigest: Act = async (client) => {
  const { random, journal } = client
  const contents = [anyBytes(random), bytesOf(random, 2000)]
  const digests = [contents[0]?.sha256 ?? '', '0'.repeat(64)]
  const fields = digests.map((digest): [string, string] => ['fileChecksum', digest])
  const options = { way: 'a form with a wrong digest', contents, fields, isSound: false }
  journal.release((await sendForm(client, options)).files)
}
