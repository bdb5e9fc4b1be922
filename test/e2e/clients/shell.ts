import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { makeFolder, runCommand } from '../../kit/command.ts'
import { skipWithout } from '../../kit/programs.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { onePagePdf } from './pdf.ts'

export const skipWithoutCurl = skipWithout('curl', ['curl', '--version'])

export const invoice = onePagePdf('Invoice: room service, Plaza Hotel')

export interface Shell {
  server: TestServer
  /** Where the shell works; the invoice of seed 001 lies in the folder above. */
  cwd: string
  /** What lines of a shell print; curl is quiet, the seed's server and token are ours. */
  print(lines: string): Promise<string>
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answers
  json(lines: string): Promise<any>
}

/** A shell beside a server, for user 2: `$URL`, `$COOKIE` and `$TOKEN` are set. */
export async function openShell(t: Test, env: Record<string, string> = {}): Promise<Shell> {
  const server = await startTestServer(t, { store: 'disk', env })
  const above = await makeFolder(t)
  const cwd = join(above, 'work')
  await mkdir(cwd)
  await writeFile(join(above, 'Invoice_room_service__Plaza_Hotel.pdf'), invoice)
  const { authorization } = await server.bearer(2)
  const TOKEN = authorization.slice('Bearer '.length)
  const variables = { URL: server.url, COOKIE: (await server.cookie(2)).cookie, TOKEN }
  const print = async (lines: string) => {
    const ours = lines.replaceAll('https://api.protocol.chat', server.url).replaceAll('{token}', TOKEN)
    const script = `curl() { command curl -sS "$@"; }\n${ours}`
    const { code, stdout, stderr } = await runCommand(['bash', '-c', script], { cwd, env: variables })
    t.match({ code, stderr }, { code: 0, stderr: '' }, lines)
    return stdout
  }
  return { server, cwd, print, json: async (lines) => JSON.parse(await print(lines)) }
}
