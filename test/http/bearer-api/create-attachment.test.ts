import { createHash } from 'node:crypto'
import t from 'tap'
import { attach, formWith, isBearerError, list, postForm, put, readAttachment } from '../../kit/bearer-api.ts'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { startTestServer } from '../../kit/server.ts'

const publicId = /^[a-zA-Z0-9]{16}$/

for (const store of ['disk', 's3'] as const) {
  t.test(`every field of the object, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store })
    const headers = await server.bearer(2)
    const file = new File(['%PDF-1.7 a bill'], 'Invoice_room_service__Plaza_Hotel.pdf', { type: 'application/pdf' })
    const before = Math.floor(Date.now() / 1000)
    const response = await postForm(server, headers, formWith(file))
    t.equal(response.status, 201)
    const created = await readAttachment(response)
    t.same(Object.keys(created).sort(), [
      'created_at',
      'file_size',
      'file_type',
      'file_url',
      'filename',
      'id',
      'message_id',
    ])
    t.match(created.id, publicId)
    t.match(created.message_id, publicId)
    t.equal(created.filename, 'Invoice_room_service__Plaza_Hotel.pdf')
    t.equal(created.file_type, 'application/pdf')
    t.equal(created.file_size, 15)
    t.ok(Number.isInteger(created.created_at))
    t.ok(created.created_at >= before && created.created_at <= Date.now() / 1000, 'unix seconds')

    const link = new URL(created.file_url)
    t.equal(link.origin, new URL(server.app.listeningOrigin).origin.replace('127.0.0.1', 'localhost'))
    t.ok(link.pathname.endsWith('/Invoice_room_service__Plaza_Hotel.pdf'))
    const bytes = await fetch(created.file_url)
    t.equal(bytes.status, 200, 'no header is needed')
    t.equal(await bytes.text(), '%PDF-1.7 a bill')

    t.equal(response.headers.get('location'), `${link.origin}/v1/attachments/${created.id}`)
    const located = await fetch(response.headers.get('location') as string, { headers })
    t.match(await readAttachment(located), { ...created, file_url: String })
  })
}

t.test('PUBLIC_URL begins file_url and Location', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { PUBLIC_URL: 'https://files.example/stowage/' } })
  const response = await postForm(server, await server.bearer(2), formWith(new File(['x'], 'a b.txt')))
  const { id, file_url } = await readAttachment(response)
  t.match(file_url, `https://files.example/stowage/files/${id}/a%20b.txt?`)
  t.equal(response.headers.get('location'), `https://files.example/stowage/v1/attachments/${id}`)
})

t.test('where the file goes', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const room = await put(server, '/v1/rooms/1', { memberIds: [1, 2, 3] })
  const message = await put(server, '/v1/messages/1', { roomId: 1, authorId: 1 })
  const own = await put(server, '/v1/users/2')

  const alone = await attach(server, headers)
  const alone2 = await attach(server, headers)
  t.not(alone.message_id, alone2.message_id, 'a message for each')
  t.match(await list(server, headers, { conversation_id: own.conversation_id }), {
    data: [{ id: alone2.id }, { id: alone.id }],
  })
  t.same((await list(server, await server.bearer(3))).data, [], "nobody else sees one's own conversation")

  for (const conversation_id of [room.conversation_id, '1']) {
    const created = await attach(server, headers, undefined, { conversation_id })
    t.match(created.message_id, publicId)
    t.not(created.message_id, message.message_id, 'a new message')
    const { data } = await list(server, await server.bearer(3), { conversation_id })
    t.equal(data[0]?.id, created.id, 'the members of the room see it')
  }
  for (const message_id of [message.message_id, '1']) {
    const created = await attach(server, headers, undefined, { message_id })
    t.equal(created.message_id, message.message_id)
    t.equal((await list(server, await server.bearer(3), { conversation_id: '1' })).data[0]?.id, created.id)
  }
})

t.test('a place that is not yours, or not there', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const room9 = await put(server, '/v1/rooms/9', { memberIds: [9] })
  const message9 = await put(server, '/v1/messages/9', { roomId: 9, authorId: 9 })
  const own3 = await put(server, '/v1/users/3')

  const places = {
    conversation_id: [room9.conversation_id, '9', own3.conversation_id, String(own3.roomId), 'A'.repeat(16), '77'],
    message_id: [message9.message_id, '9', 'A'.repeat(16), '77'],
    nonsense: ['', '0', '-1', '1.5', 'a', '9'.repeat(17), '😀'.repeat(4)],
  }
  for (const name of ['conversation_id', 'message_id'] as const) {
    const answers = new Set<string>()
    for (const value of [...places[name], ...places.nonsense]) {
      const response = await postForm(server, headers, formWith(new File(['x'], 'x'), { [name]: value }))
      const { message } = await isBearerError(t, response, 404, 'not_found_error', `${name}=${value}`)
      answers.add(message)
    }
    t.equal(answers.size, 1, 'every answer is the same')
  }
  const both = { conversation_id: '1', message_id: '1' }
  await isBearerError(
    t,
    await postForm(server, headers, formWith(new File(['x'], 'x'), both)),
    400,
    'invalid_request_error',
  )
  t.same(await server.states(), {})
  t.same(await server.remains(), { objects: [], uploads: [] })
})

t.test('filename, checksum and file_size', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const content = 'what is declared'
  const checksum = createHash('sha256').update(content).digest('hex')
  const file = () => new File([content], 'sent.txt', { type: 'text/plain' })

  const created = await attach(server, headers, file(), {
    filename: '請求書 😀.pdf',
    checksum: checksum.toUpperCase(),
    file_size: String(content.length),
  })
  t.match(created, { filename: '請求書 😀.pdf', file_size: content.length, file_type: 'text/plain' })
  t.match(await server.states(), { ReadyForDownloadFromServerToClient: 1 })

  const refused: [Record<string, string>, number][] = [
    [{ checksum: '0'.repeat(64) }, 422],
    [{ file_size: String(content.length - 1) }, 400],
    [{ file_size: String(content.length + 1) }, 400],
    [{ checksum: 'abc' }, 400],
    [{ checksum: 'g'.repeat(64) }, 400],
    [{ file_size: '-1' }, 400],
    [{ file_size: '1e3' }, 400],
    [{ filename: '' }, 400],
    [{ filename: '../etc/passwd' }, 400],
    [{ filename: 'a\nb' }, 400],
    [{ filename: 'a\0b' }, 400],
    [{ filename: 'x'.repeat(256) }, 400],
  ]
  for (const [fields, status] of refused) {
    const response = await postForm(server, headers, formWith(file(), fields))
    await isBearerError(t, response, status, 'invalid_request_error', JSON.stringify(fields))
  }
  t.match(await server.states(), {
    ReadyForDownloadFromServerToClient: 1,
    ChecksumVerificationOnServerSideMismatch: 1,
    UploadFromClientToServerFailed: 2,
  })
  t.equal((await list(server, headers)).data.length, 1, 'what failed is not listed')
})
