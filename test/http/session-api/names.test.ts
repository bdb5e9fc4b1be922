import t, { type Test } from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { isError, Session, textFile } from '../../kit/cookie-api.ts'
import { fileHeaders, multipartBody } from '../../kit/multipart.ts'
import { startTestServer } from '../../kit/server.ts'

const names = [
  'Document.pdf',
  'thumbnail',
  'content',
  'events',
  'transitions',
  '見積書 2026年度.pdf',
  '👩‍👩‍👧‍👦 🏳️‍🌈.png',
  'she said "hi".txt',
  '"',
  "it's; filename=other.txt",
  '100%.txt',
  'a%20b.txt',
  '%E6%97%A5.txt',
  '%',
  ' leading and trailing ',
  '.hidden',
  '..a',
  'a..',
  '...',
  '#?&=+@:,$!*()[]{}<>|~`^.txt',
  '<img src=x onerror=alert(1)>.html',
  'CON',
  '\u202Efdp.exe',
  '\u200Fשלום\u200E.txt',
  '\uFEFFbom.txt',
  'zero\u200Bwidth.txt',
  '__proto__',
  'a'.repeat(255),
  `${'é'.repeat(125)}.txt1`,
  `${'日'.repeat(83)}ab.txt`,
]

async function isKept(t: Test, session: Session, id: number, name: string): Promise<void> {
  t.equal((await session.metadata(id)).fileName, name)
  const download = await session.download(id, name)
  t.equal(download.status, 200)
  t.equal(Buffer.from(await download.arrayBuffer()).toString(), name, 'the bytes')
  const disposition = download.headers.get('content-disposition') ?? ''
  const [, extended = ''] = /filename\*=UTF-8''(.*)$/.exec(disposition) ?? []
  t.equal(decodeURIComponent(extended), name, 'and the name a browser saves it under')
}

for (const store of ['s3', 'disk'] as const) {
  t.test(`names are kept as they are, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const session = await Session.of(await startTestServer(t, { store, env: { MAX_FILES_PER_REQUEST: '100' } }), 2)
    const ids = await session.upload(...names.map((name) => textFile(name, name)))
    for (const [index, name] of names.entries())
      await t.test(name.slice(0, 40), (t) => isKept(t, session, ids[index] as number, name))
    t.strictSame(
      (await session.list()).map(({ fileName }) => fileName),
      names,
    )
  })
}

t.test('however the client writes them', async (t) => {
  const session = await Session.of(await startTestServer(t, { store: 'disk' }), 2)
  for (const [client, written] of [
    ['browsers and curl from 7.81 on', 'she said %22hi%22.txt'],
    ['curl before that, and --form-escape', 'she said \\"hi\\".txt'],
  ] as const) {
    const body = multipartBody('b', [{ headers: fileHeaders('files', written), body: 'she said "hi".txt' }])
    const headers = { 'content-type': 'multipart/form-data; boundary=b' }
    const response = await session.ask('POST', '/messages/1/attachments', { headers, body })
    t.equal(response.status, 200, client)
    const { attachmentIds } = (await response.json()) as { attachmentIds: number[] }
    await isKept(t, session, attachmentIds[0] as number, 'she said "hi".txt')
  }
})

t.test('decomposed letters are composed, and found under either name', async (t) => {
  const session = await Session.of(await startTestServer(t, { store: 'disk' }), 2)
  const decomposed = 'Ame\u0301lie 가.txt'
  const [id = 0] = await session.upload(textFile(decomposed, decomposed.normalize('NFC')))
  await isKept(t, session, id, decomposed.normalize('NFC'))
  t.equal((await session.download(id, decomposed)).status, 200)
})

t.test('under any other name there is nothing', async (t) => {
  const session = await Session.of(await startTestServer(t, { store: 'disk' }), 2)
  const [id = 0] = await session.upload(textFile('a.txt'))
  for (const name of ['A.txt', 'a.txt ', 'a.tx', 'b.txt', '../a.txt', '.', 'a.txt\0', 'thumbnail', 'a.txt/'])
    await isError(t, await session.download(id, name), 404, /^Attachment not found$/)
  for (const path of [
    `/attachments/${id}/`,
    `/attachments/${id}/a.txt/`,
    `/attachments/${id}/a.txt/b`,
    '/attachments//a.txt',
  ])
    await isError(t, await session.ask('GET', path), 404, /nothing at this address|not found/)
})
