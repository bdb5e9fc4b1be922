import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { type AttachmentState, legalMoves } from '#domain/states.ts'
import { putMessage } from '#rooms/messages.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { isError, type Metadata, Session, type Transition, textFile } from '../../kit/cookie-api.ts'
import { readJson } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'

const ready = 'ReadyForDownloadFromServerToClient'
const failed = 'UploadFromClientToServerFailed'
const verifying = 'ChecksumVerificationOnServerSideInProgress'
const uploading = 'UploadFromClientToServerInProgress'
const hexOf = (algorithm: string, content: string) => createHash(algorithm).update(content).digest('hex')

for (const store of ['s3', 'disk'] as const) {
  t.test(`the metadata of the seed, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const session = await Session.of(await startTestServer(t, { store }), 2)
    const began = Date.now()
    const [id = 0] = await session.upload(new File(['%PDF-1.7'], 'Document.pdf', { type: 'application/pdf' }))
    const response = await session.ask('GET', `/attachments/${id}`)
    t.equal(response.status, 200)
    t.equal(response.headers.get('content-type'), 'application/json; charset=utf-8')
    const { createdUtc, lastModifiedUtc, ...rest } = await readJson<Metadata>(response)
    t.strictSame(rest, {
      attachmentId: id,
      attachmentState: ready,
      contentType: 'application/pdf',
      fileChecksum: hexOf('sha256', '%PDF-1.7'),
      fileChecksumAlgorithm: 'sha256',
      fileName: 'Document.pdf',
      fileSize: 8,
      hasThumbnail: false,
      roomId: 1,
      textMessageId: 1,
    })
    t.ok(Number.isInteger(createdUtc) && Number.isInteger(lastModifiedUtc), 'times are whole milliseconds')
    // The database's clock and ours need not agree to the millisecond.
    t.ok(createdUtc > began - 1000 && lastModifiedUtc < Date.now() + 1000, 'and of now')
    t.ok(createdUtc <= lastModifiedUtc)
  })
}

t.test('with CHECKSUM_ALGORITHM=md5 the checksum has 32 digits', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { CHECKSUM_ALGORITHM: 'md5' } })
  const session = await Session.of(server, 2)
  const [id = 0] = await session.upload(textFile())
  t.match(await session.metadata(id), {
    fileChecksum: hexOf('md5', 'content'),
    fileChecksumAlgorithm: 'md5',
    attachmentState: ready,
  })
})

t.test('a failed one says why, and knows neither size nor checksum', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_FILE_SIZE: '4' } })
  const session = await Session.of(server, 2)
  t.equal((await session.post([textFile()])).status, 413)
  const [metadata] = await session.list()
  t.match(metadata, { attachmentState: failed, failureReason: /larger than 4 bytes/, fileName: 'a.txt' })
  t.strictSame([metadata?.fileSize, metadata?.fileChecksum], [null, null])
})

function isHistory(t: Test, transitions: Transition[] = [], states: AttachmentState[]): void {
  t.strictSame(
    transitions.map(({ from, to }) => [from, to]),
    states.map((state, index) => [states[index - 1] ?? null, state]),
  )
  for (const { from, to } of transitions)
    t.ok(from === null ? to === 'Initial' : legalMoves[from as AttachmentState].includes(to as AttachmentState), to)
  for (const [index, { transitionId, utc, reason, actor, ...rest }] of transitions.entries()) {
    const before = transitions[index - 1]
    t.ok(Number.isInteger(transitionId) && transitionId > (before?.transitionId ?? 0), 'ids rise')
    t.ok(Number.isInteger(utc) && utc >= (before?.utc ?? 0), 'times do not fall')
    t.match(reason, /.+/)
    t.equal(actor, 'user:2')
    t.strictSame(Object.keys(rest), ['from', 'to'])
  }
}

t.test('?include=transitions adds the history', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_FILE_SIZE: '100' } })
  const session = await Session.of(server, 2)
  const [id = 0] = await session.upload(textFile())
  const { transitions, ...metadata } = await session.metadata(id, '?include=transitions')
  t.strictSame(metadata, await session.metadata(id), 'and changes nothing else')
  isHistory(t, transitions, ['Initial', uploading, verifying, ready])

  await session.post([textFile('large.txt', 'x'.repeat(101))])
  const [, large] = await session.list()
  isHistory(t, (await session.metadata(large?.attachmentId ?? 0, '?include=transitions')).transitions, [
    'Initial',
    uploading,
    failed,
  ])

  const wrong = 'ChecksumVerificationOnServerSideMismatch'
  await session.post([textFile('wrong.txt')], [['fileChecksum', 'a'.repeat(64)]])
  const [, , mismatched] = await session.list()
  isHistory(t, (await session.metadata(mismatched?.attachmentId ?? 0, '?include=transitions')).transitions, [
    'Initial',
    uploading,
    verifying,
    wrong,
  ])
  await isError(t, await session.ask('GET', `/attachments/${id}?include=all`), 400, /not as documented/)
})

t.test('the attachments of a message, in any state, oldest first', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { MAX_FILE_SIZE: '100' } })
  await putMessage(server.db, 2, { roomId: 1, authorId: 2 })
  const session = await Session.of(server, 2)
  const none = await session.ask('GET', '/messages/1/attachments')
  t.equal(none.status, 200)
  t.strictSame(await readJson(none), { httpStatusCode: 200, attachments: [] })

  const [first = 0] = await session.upload(textFile('first.txt'))
  await session.post([textFile('other message.txt')], [], 2)
  await session.post([textFile('failed.txt', 'x'.repeat(101))])
  const [last = 0, deleted = 0] = await session.upload(textFile('last.txt'), textFile('deleted.txt'))
  await session.ask('DELETE', `/attachments/${deleted}`)
  await server.db.execute(sql`update attachments set modified_at = now() where id = ${first}`)

  const attachments = await session.list()
  t.strictSame(
    attachments.map(({ fileName, attachmentState }) => [fileName, attachmentState]),
    [
      ['first.txt', ready],
      ['failed.txt', failed],
      ['last.txt', ready],
    ],
  )
  t.strictSame(attachments[0], await session.metadata(first), 'each as it would be asked for alone')
  t.strictSame(attachments[2], await session.metadata(last))
  t.strictSame(await (await Session.of(server, 3)).list(), attachments, 'and so every member sees them')
})
