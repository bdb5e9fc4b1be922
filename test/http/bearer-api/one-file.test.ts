import t from 'tap'
import { isBearerError, list, postForm } from '../../kit/bearer-api.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { startTestServer } from '../../kit/server.ts'
import { until } from '../../kit/until.ts'

type Part = [name: string, value: string | File]

function formOf(...parts: Part[]): FormData {
  const form = new FormData()
  for (const [name, value] of parts) form.append(name, value)
  return form
}

for (const store of ['disk', 's3'] as const)
  t.test(`exactly one file, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store })
    const headers = await server.bearer(2)
    const file = (content = 'x') => new File([content], 'x.txt')
    const refused: Record<string, FormData> = {
      'no part at all': formOf(),
      'no file': formOf(['conversation_id', '1']),
      'two files': formOf(['file', file('one')], ['file', file('two')]),
      'two files, the second empty': formOf(['file', file('one')], ['file', file('')]),
      'a large one and another': formOf(['file', file('x'.repeat(9 * 2 ** 20))], ['file', file('two')]),
      'a file of another name': formOf(['files', file()]),
      'a file of another name beside it': formOf(['file', file()], ['other', file()]),
      'text under its name': formOf(['file', '../Invoice.pdf']),
      'a field after the file': formOf(['file', file()], ['conversation_id', '1']),
      'a field that nobody knows': formOf(['note', 'hello'], ['file', file()]),
      'a field twice': formOf(['filename', 'y.txt'], ['filename', 'z.txt'], ['file', file()]),
      'a name after the file': formOf(['file', file()], ['filename', 'y.txt']),
    }
    for (const [what, form] of Object.entries(refused))
      await isBearerError(t, await postForm(server, headers, form), 400, 'invalid_request_error', what)
    t.equal((await server.states()).ReadyForDownloadFromServerToClient, undefined)
    t.same((await list(server, headers)).data, [])
    await until('the bytes are gone', async () => (await server.remains()).objects.length === 0)
    t.same(await server.remains(), { objects: [], uploads: [] })
  })
