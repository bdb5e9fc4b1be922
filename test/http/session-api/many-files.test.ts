import t from 'tap'
import { isError, Session, textFile } from '../../kit/cookie-api.ts'
import { startTestServer } from '../../kit/server.ts'
import { hexOf } from './reservations.ts'

const most = 200

/** A form of many files, each with its size and checksum before it. */
function formOf(count: number): { files: File[]; fields: [string, string][] } {
  const contents = Array.from({ length: count }, (_, index) => `content of ${index}`)
  const fields = contents.flatMap((content): [string, string][] => [
    ['fileChecksum', hexOf('sha256', content)],
    ['fileSize', String(content.length)],
  ])
  return { files: contents.map((content, index) => textFile(`${index}.txt`, content)), fields }
}

t.test('as many files as MAX_FILES_PER_REQUEST allows, all of them declared', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_FILES_PER_REQUEST: String(most) } })
  const session = await Session.of(server, 2)
  const { files, fields } = formOf(most)
  t.equal((await session.post(files, fields)).status, 200)
  t.strictSame(await server.states(), { ReadyForDownloadFromServerToClient: most })
  const oneMore = formOf(most + 1)
  await isError(t, await session.post(oneMore.files, oneMore.fields), 413, /More than 200 files/)
  const tooMuch = [...fields, ...fields.slice(0, 11)]
  await isError(t, await session.post(files, tooMuch), 413, /More than 410 fields/)
})
