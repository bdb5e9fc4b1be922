import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { listTransitions } from '#persistence/queries.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { isError, type Metadata, Session, textFile } from '../../kit/cookie-api.ts'
import { startTestServer, type TestServer } from '../../kit/server.ts'
import { until } from '../../kit/until.ts'

const ready = 'ReadyForDownloadFromServerToClient'
const failed = 'UploadFromClientToServerFailed'
const verifying = 'ChecksumVerificationOnServerSideInProgress'
const mismatch = 'ChecksumVerificationOnServerSideMismatch'
const sha256 = (content: string) => createHash('sha256').update(content).digest('hex')
const files = () => [textFile('a.txt', 'first'), textFile('b.txt', 'second')]
const [first, second, wrong] = [sha256('first'), sha256('second'), sha256('other')]

type Fields = [name: string, value: string][]
type Server = { server: TestServer; session: Session }

async function start(t: Test, store: 's3' | 'disk'): Promise<Server> {
  const server = await startTestServer(t, { store })
  return { server, session: await Session.of(server, 2) }
}

async function leaves(t: Test, { server, session }: Server, states: string[]): Promise<Metadata[]> {
  const rows = await session.list()
  t.strictSame(
    rows.map(({ attachmentState }) => attachmentState),
    states,
  )
  await until('the purge has come round', async () => (await server.unpurged()) === 0)
  t.strictSame(await server.remains(), { objects: [], uploads: [] })
  return rows
}

const honest: Fields[] = [
  [
    ['fileChecksum', first],
    ['fileChecksum', second],
    ['fileSize', '5'],
    ['fileSize', '6'],
  ],
  [
    ['fileSize', '5'],
    ['fileChecksum', first.toUpperCase()],
    ['fileSize', '006'],
    ['fileChecksum', second],
  ],
  [['fileChecksum', first]],
  [['fileSize', '5']],
]

const dishonest: { what: string; fields: Fields; text: RegExp }[] = [
  {
    what: 'a file longer than declared',
    fields: [
      ['fileSize', '5'],
      ['fileSize', '5'],
    ],
    text: /more than the 5 bytes declared/,
  },
  {
    what: 'a file shorter than declared',
    fields: [
      ['fileSize', '5'],
      ['fileSize', '7'],
    ],
    text: /fewer than the 7 bytes declared/,
  },
  {
    what: 'more files declared than sent',
    fields: [
      ['fileSize', '5'],
      ['fileSize', '6'],
      ['fileSize', '7'],
    ],
    text: /More files are declared/,
  },
]

for (const store of ['s3', 'disk'] as const) {
  const skip = store === 's3' && skipWithoutS3

  t.test(`what is declared truly is taken, on ${store}`, { skip }, async (t) => {
    const { server, session } = await start(t, store)
    for (const fields of honest) t.equal((await session.post(files(), fields)).status, 200, JSON.stringify(fields))
    t.strictSame(await server.states(), { [ready]: honest.length * 2 })
  })

  for (const { what, fields, text } of dishonest) {
    t.test(`${what}, on ${store}`, { skip }, async (t) => {
      const { server, session } = await start(t, store)
      await isError(t, await session.post(files(), fields), 400, text)
      for (const { failureReason } of await leaves(t, { server, session }, [failed, failed]))
        t.match(failureReason, text)
    })
  }

  t.test(`a digest that is another fails its file and its siblings, on ${store}`, { skip }, async (t) => {
    const { server, session } = await start(t, store)
    const fields: Fields = [
      ['fileChecksum', first],
      ['fileChecksum', wrong],
    ]
    await isError(
      t,
      await session.post([...files(), textFile('c.txt')], fields),
      422,
      /sha256.* is .*, not .* declared/,
    )
    const [sibling, mismatched, other] = await leaves(t, { server, session }, [failed, mismatch, failed])
    for (const row of [sibling, mismatched, other])
      t.match(row?.failureReason, /^The sha256 of the bytes received is not the same as declared/)
    t.match(mismatched, { fileSize: 6, fileChecksum: second }, 'what did arrive is known')
    const [, , verified, ended] = await listTransitions(server.db, mismatched?.attachmentId ?? 0)
    t.match([verified, ended], [{ to: verifying }, { to: mismatch }])
    t.same(verified?.at, ended?.at, 'in one statement: left in between by a crash, it would look whole')
  })
}

t.test('declarations that mean nothing are refused before a file is taken', async (t) => {
  const { server, session } = await start(t, 'disk')
  for (const value of ['', 'abc', 'g'.repeat(64), 'a'.repeat(63), 'a'.repeat(65), 'a'.repeat(32), `${first} `])
    await isError(t, await session.post(files(), [['fileChecksum', value]]), 400, /sha256 in 64 hex digits/)
  for (const value of ['', '-1', '1.5', '1e3', '0x10', 'many', '9007199254740992', '9'.repeat(30)])
    await isError(t, await session.post(files(), [['fileSize', value]]), 400, /size in bytes, a whole number/)
  await leaves(t, { server, session }, [])
})

t.test('a declaration that comes after its file is refused, not passed over', async (t) => {
  for (const [name, value] of [
    ['fileChecksum', first],
    ['fileSize', '5'],
  ] as const) {
    const { server, session } = await start(t, 'disk')
    const body = new FormData()
    body.append('files', textFile('a.txt', 'first'))
    body.append(name, value)
    await isError(t, await session.ask('POST', '/messages/1/attachments', { body }), 400, /comes after its file/)
    await leaves(t, { server, session }, [failed])
  }
})

t.test('each declaration right before its file is as good', async (t) => {
  const { server, session } = await start(t, 'disk')
  const body = new FormData()
  for (const [file, digest] of [
    [files()[0], first],
    [files()[1], second],
  ] as const) {
    body.append('fileChecksum', digest)
    body.append('files', file as File)
  }
  t.equal((await session.ask('POST', '/messages/1/attachments', { body })).status, 200)
  t.strictSame(await server.states(), { [ready]: 2 })
})

t.test('with CHECKSUM_ALGORITHM=md5 the digest declared is an md5', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { CHECKSUM_ALGORITHM: 'md5' } })
  const session = await Session.of(server, 2)
  const md5 = createHash('md5').update('content').digest('hex')
  t.equal((await session.post([textFile()], [['fileChecksum', md5]])).status, 200)
  await isError(t, await session.post([textFile()], [['fileChecksum', sha256('content')]]), 400, /md5 in 32 hex digits/)
  await isError(t, await session.post([textFile()], [['fileChecksum', 'a'.repeat(32)]]), 422, /md5/)
  t.strictSame(await server.states(), { [ready]: 1, [mismatch]: 1 })
})
