import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

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
  const tell = async (method: string, path: string, body: object) => {
    const headers = { authorization, 'content-type': 'application/json' }
    const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return await response.json()
  }
  const [roomId, messageId] = [1, 1]
  await tell('PUT', `/v1/rooms/${roomId}`, { memberIds: [1] })
  await tell('PUT', `/v1/messages/${messageId}`, { roomId, authorId: 1 })
  const { cookie } = (await tell('POST', '/v1/sessions', { userId: 1 })) as { cookie: string }
  return { authorization, cookie, roomId, messageId }
}
