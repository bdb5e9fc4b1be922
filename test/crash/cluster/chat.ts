import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expectJson, request } from '../../kit/http-client.ts'

/** The chat that the clients are in: its backend's token, which is user 1's too, and that user's session. */
export interface Chat {
  authorization: string
  cookie: string
  /** A room of user 1, and a message in it. */
  roomId: number
  messageId: number
}

const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

export async function makeChat(url: string, env: NodeJS.ProcessEnv): Promise<Chat> {
  const { PATH, HOME } = process.env
  const words = ['token', 'create', '--user', '1', '--scope', 'read,write,admin']
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...words], { env: { PATH, HOME, ...env } })
  const authorization = `Bearer ${stdout.trim()}`
  const tell = <T>(method: string, path: string, json: object, status = 200) =>
    expectJson<T>(request(url, method, path, { headers: { authorization }, json }), status)
  const [roomId, messageId] = [1, 1]
  await tell('PUT', `/v1/rooms/${roomId}`, { memberIds: [1] })
  await tell('PUT', `/v1/messages/${messageId}`, { roomId, authorId: 1 })
  const { cookie } = await tell<{ cookie: string }>('POST', '/v1/sessions', { userId: 1 }, 201)
  return { authorization, cookie, roomId, messageId }
}
