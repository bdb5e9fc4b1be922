import { fileURLToPath } from 'node:url'
import { createSession, createToken } from '#auth/credentials.ts'
import type { Config } from '#config/config.ts'
import { type App, publicUrlOf } from '#http/app.ts'
import type { Database } from '#persistence/connection/client.ts'
import { readClock } from '#persistence/statements.ts'
import { putMessage } from '#rooms/messages.ts'
import { putRoom } from '#rooms/rooms.ts'

/** The file that the printed commands upload. */
const sample = fileURLToPath(new URL('../README.md', import.meta.url))

/** In milliseconds. */
const day = 86_400_000

/**
 * Creates user 1, room 1 and message 1, unless they exist, and a new session and a new token, both valid for a day.
 * @returns shell commands that try both APIs with them
 */
export async function demoText(app: App, db: Database, config: Config): Promise<string> {
  await putRoom(db, 1, { memberIds: [1], moderatorIds: [] })
  await putMessage(db, 1, { roomId: 1, authorId: 1 })
  const now = await readClock(db)
  const credential = { userId: 1, scopes: ['read', 'write'], expiresAt: new Date(now() + day) } as const
  const { session } = await createSession(db, { ...credential, most: config.sessionsPerUser })
  const { token } = await createToken(db, credential)
  const url = publicUrlOf(app, config)()
  const sent = quoted(sample)
  const upload = (field: string) => quoted(`${field}=@"${sample}"`)
  const compare = `cmp - ${sent} && echo 'The same bytes came back.'`
  return `
Stowage runs at ${url}. Paste these lines into another terminal; they upload a file, read its metadata,
download it, compare it and delete it.

echo 'The cookie API'
COOKIE='${config.sessionCookie}=${session}'
ANSWER=$(curl -sS -b "$COOKIE" -F ${upload('files')} ${url}/api/v1/messages/1/attachments); echo "$ANSWER"
ID=$(echo "$ANSWER" | grep -o '[0-9]*' | tail -n 1)
curl -sS -b "$COOKIE" "${url}/api/v1/attachments/$ID"; echo
curl -sS -b "$COOKIE" "${url}/api/v1/attachments/$ID/README.md" | ${compare}
curl -sS -b "$COOKIE" -X DELETE "${url}/api/v1/attachments/$ID"; echo

echo 'The bearer API'
TOKEN='${token}'
ANSWER=$(curl -sS -H "Authorization: Bearer $TOKEN" -F ${upload('file')} ${url}/v1/attachments); echo "$ANSWER"
ID=$(echo "$ANSWER" | grep -o '"id":"[^"]*"' | cut -d '"' -f 4)
curl -sS -H "Authorization: Bearer $TOKEN" "${url}/v1/attachments/$ID"; echo
curl -sS "$(echo "$ANSWER" | grep -o '"file_url":"[^"]*"' | cut -d '"' -f 4)" | ${compare}
curl -sS -H "Authorization: Bearer $TOKEN" -X DELETE -w '%{http_code}\\n' "${url}/v1/attachments/$ID"

Ctrl-C stops the server. What was uploaded is kept in ${config.dataDir} for the next start.
`
}

/** One word of a POSIX shell: the path of the repository can contain any character. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
