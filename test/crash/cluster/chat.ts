import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { inheritedEnvironment, program } from '../../kit/command.ts'
import { expectJson, request } from '../../kit/http-client.ts'

/** The chat that the clients are in: its backend's token, which is user 1's too, and that user's session. */
export interface Chat {
  authorization: string
  cookie: string
  /** A room of user 1, and a message in it. */
  roomId: number
  messageId: number
}

export async function makeChat(url: string, env: NodeJS.ProcessEnv): Promise<Chat> {
  const words = ['token', 'create', '--user', '1', '--scope', 'read,write,admin']
  const options = { env: { ...inheritedEnvironment(), ...env } }
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...words], options)
  const authorization = `Bearer ${stdout.trim()}`
  const tell = <T>(method: string, path: string, json: object, status = 200) =>
    expectJson<T>(request(url, method, path, { headers: { authorization }, json }), status)
  const [roomId, messageId] = [1, 1]
  await tell('PUT', `/v1/rooms/${roomId}`, { memberIds: [1] })
  await tell('PUT', `/v1/messages/${messageId}`, { roomId, authorId: 1 })
  const { cookie } = await tell<{ cookie: string }>('POST', '/v1/sessions', { userId: 1 }, 201)
  return { authorization, cookie, roomId, messageId }
}
