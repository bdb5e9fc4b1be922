import { setTimeout as delay } from 'node:timers/promises'
import type { Answer } from '../../kit/paced-request.ts'
import { type Act, type Client, isOk, jsonOf, takeAny } from './client.ts'
import { anyBytes, bytesOf } from './content.ts'
import { nameOf, type SentFile } from './journal.ts'
import { sendForm } from './upload-form.ts'

/** Deletes a file. When no answer comes, nobody knows whether it is gone, and nobody asks again. */
export const removeFile: Act = async (client) => {
  const file = takeAny(client)
  if (file === undefined) return
  const { journal } = client
  journal.removalAsked([file])
  const isBearer = typeof file.id === 'string'
  const path = isBearer ? `/v1/attachments/${file.id}` : `/api/v1/attachments/${file.id}`
  const answer = await client.ask({ method: 'DELETE', path, isBearer })
  if (!isGone(answer)) return
  journal.removalAcknowledged([file])
  // At once, and by whichever replica is asked next.
  const again = await client.ask({ method: 'GET', path, isBearer })
  if (isOk(again))
    journal.violations.push({ kind: 'wrong', text: `${nameOf(file)}: deleted, and found right afterwards` })
}

/** A load balancer may ask twice when a replica dies with its answer: the second is told that there is no such thing. */
function isGone(answer: Answer | undefined): boolean {
  return answer?.status === 404 || isOk(answer)
}

/** A message with files, deleted with all of them, and at times with one that is still arriving. */
export const removeMessage: Act = async (client) => {
  const { chat } = client
  const messageId = await makeMessage(client, chat.roomId)
  if (messageId !== undefined) await fillAndRemove(client, messageId, `/v1/messages/${messageId}`)
}

export const removeRoom: Act = async (client) => {
  const roomId = client.journal.nextNumber()
  const json = { memberIds: [1] }
  if (!isOk(await client.ask({ method: 'PUT', path: `/v1/rooms/${roomId}`, isBearer: true, json }))) return
  const messageId = await makeMessage(client, roomId)
  if (messageId !== undefined) await fillAndRemove(client, messageId, `/v1/rooms/${roomId}`)
}

/** A user with files in a conversation of their own. */
export const removeUser: Act = async (client) => {
  const { journal, random } = client
  const userId = journal.nextNumber()
  const answer = await client.ask({ method: 'POST', path: '/v1/tokens', isBearer: true, json: { userId } })
  if (!isOk(answer)) return
  const authorization = `Bearer ${jsonOf<{ token: string }>(answer).token}`
  const contents = [anyBytes(random)]
  const way = 'a bearer form of a user who is deleted'
  const { files } = await sendForm(client, { way, contents, isBearer: true, authorization })
  await removeUntilAnswered(client, `/v1/users/${userId}`, files)
}

async function makeMessage(client: Client, roomId: number): Promise<number | undefined> {
  const messageId = client.journal.nextNumber()
  const json = { roomId, authorId: 1 }
  const answer = await client.ask({ method: 'PUT', path: `/v1/messages/${messageId}`, isBearer: true, json })
  return isOk(answer) ? messageId : undefined
}

async function fillAndRemove(client: Client, messageId: number, path: string): Promise<void> {
  const { random } = client
  const contents = [bytesOf(random, 3000), anyBytes(random)]
  const { files } = await sendForm(client, { way: `a form to what is deleted: ${path}`, contents, messageId })
  const late =
    random.between(1, 2) === 1
      ? sendForm(client, { way: `a form while ${path} is deleted`, contents: [anyBytes(random)], messageId })
      : undefined
  await removeUntilAnswered(client, path, files)
  // Whether it was in time or not, nothing of it may be left.
  const group = await late
  if (group) client.journal.removalAsked(group.files)
}

/** The chat's backend repeats what was not answered, since all of it may be repeated. */
async function removeUntilAnswered(client: Client, path: string, files: readonly SentFile[]): Promise<void> {
  const { journal } = client
  journal.removalAsked(files)
  for (let tried = 0; tried < 60; tried++) {
    if (isGone(await client.ask({ method: 'DELETE', path, isBearer: true }))) {
      journal.removalAcknowledged(files.filter(({ id }) => id !== undefined))
      return
    }
    await delay(250)
  }
}
