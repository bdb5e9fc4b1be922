import { createHash } from 'node:crypto'
import { type Act, type Client, isOk, jsonOf, takeAny } from './client.ts'
import { nameOf, type SentFile } from './journal.ts'

/** Downloads a file. A complete answer must be the file, and one that is kept is never said not to be there. */
export const download: Act = async (client) => {
  const file = takeAny(client)
  if (file === undefined) return
  const { journal } = client
  const path =
    typeof file.id === 'string' ? await linkTo(client, file) : `/api/v1/attachments/${file.id}/${nameOf(file)}`
  const answer = path === undefined ? undefined : await client.ask({ method: 'GET', path })
  journal.release([file])
  if (answer?.status === 404)
    journal.violations.push({ kind: 'lost', text: `${nameOf(file)}: a download answered 404` })
  if (answer?.status !== 200) return
  const sha256 = createHash('sha256').update(answer.body).digest('hex')
  if (sha256 === file.sha256) return
  const text = `${nameOf(file)}: a download brought ${answer.body.length} bytes of ${sha256}, ${file.size} of ${file.sha256} were sent`
  journal.violations.push({ kind: 'wrong', text })
}

/** The signed link of the bearer API, without the address that the servers are known by. */
async function linkTo(client: Client, file: SentFile): Promise<string | undefined> {
  const answer = await client.ask({ method: 'GET', path: `/v1/attachments/${file.id}`, isBearer: true })
  if (!isOk(answer)) return undefined
  const { pathname, search } = new URL(jsonOf<{ file_url: string }>(answer).file_url)
  return pathname + search
}

export const rename: Act = async (client) => {
  const file = takeAny(client)
  if (file === undefined) return
  const { journal } = client
  const name = `renamed-${journal.nextNumber()}.bin`
  const before = nameOf(file)
  journal.name(file, name)
  const isBearer = typeof file.id === 'string'
  const answer = isBearer
    ? await client.ask({ method: 'PUT', path: `/v1/attachments/${file.id}`, isBearer, json: { filename: name } })
    : await client.ask({ method: 'PATCH', path: `/api/v1/attachments/${file.id}`, json: { fileName: name } })
  // Not knowing its name, nobody can download it any more: it stays busy, for the checker to look at.
  if (answer === undefined || answer.status >= 500) return
  if (!isOk(answer)) journal.name(file, before)
  journal.release([file])
}
