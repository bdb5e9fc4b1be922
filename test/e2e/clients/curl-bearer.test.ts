import t from 'tap'
import { invoice, openShell, skipWithoutCurl as skip } from './shell.ts'

/** The commands of seed 001, in its words; only the ids are ours. */
const seed = {
  list: (conversation: string) => `curl -G https://api.protocol.chat/v1/attachments \\
-H "Authorization: Bearer {token}" \\
-d conversation_id="${conversation}" \\
-d limit=10`,
  create: `curl https://api.protocol.chat/v1/attachments \\
-H "Authorization: Bearer {token}" \\
-F file="../Invoice_room_service__Plaza_Hotel.pdf"`,
  retrieve: (id: string) => `curl https://api.protocol.chat/v1/attachments/${id} \\
-H "Authorization: Bearer {token}"`,
  update: (id: string) => `curl -X PUT https://api.protocol.chat/v1/attachments/${id} \\
-H "Authorization: Bearer {token}" \\
-d filename="Invoice_room_service__Plaza_Hotel_updated.pdf"`,
  delete: (id: string) => `curl -X DELETE https://api.protocol.chat/v1/attachments/${id} \\
-H "Authorization: Bearer {token}"`,
}

t.test('the commands of seed 001', { skip }, async (t) => {
  const { server, print, json } = await openShell(t)
  const create = seed.create.replace('-F file=', '-F file=@')
  const created = await json(create)
  const { id, message_id, file_url } = created
  t.match(created, {
    id: /^[A-Za-z0-9]{16}$/,
    message_id: /^[A-Za-z0-9]{16}$/,
    filename: 'Invoice_room_service__Plaza_Hotel.pdf',
    file_url: /^http:\/\/localhost:\d+\/files\/\w+\/Invoice_room_service__Plaza_Hotel\.pdf\?/,
    file_type: 'application/pdf',
    file_size: invoice.length,
    created_at: Number,
  })
  t.equal(Object.keys(created).length, 7, 'the fields of the seed and no others')
  t.ok(Math.abs(created.created_at - Date.now() / 1000) < 600, 'in seconds')
  t.equal(await print(`curl "${file_url}" | cmp - ../Invoice*.pdf && echo same`), 'same\n', 'the link needs no header')

  t.match(await json(seed.retrieve(id)), { id, message_id, filename: created.filename })
  const updated = await json(seed.update(id))
  t.match(updated, { id, message_id, filename: 'Invoice_room_service__Plaza_Hotel_updated.pdf' })
  t.match(updated.file_url, /\/Invoice_room_service__Plaza_Hotel_updated\.pdf\?/)
  t.equal(await print(`curl "${updated.file_url}" | cmp - ../Invoice*.pdf && echo same`), 'same\n')
  t.equal(await print(`curl -o /dev/null -w '%{http_code}' "${file_url}"`), '404', 'the old name is gone')

  t.equal(await print(seed.delete(id)), '')
  t.match(await json(seed.retrieve(id)), { type: 'not_found_error' })
  t.equal(await print(`curl -o /dev/null -w '%{http_code}' "${updated.file_url}"`), '404')
  t.strictSame(await server.states(), {})
})

t.test('a page of a conversation', { skip }, async (t) => {
  const { server, json } = await openShell(t)
  const [room] = await server.db.execute<{ public_id: string }>('select public_id from rooms where id = 1')
  const conversation = String(room?.public_id)
  const create = seed.create.replace('-F file=', '-F file=@')
  const createThere = create.replace('-F file', `-F conversation_id=${conversation} -F file`)
  const sent: string[] = []
  for (let count = 0; count < 12; count++) sent.unshift((await json(createThere)).id)
  await json(create)
  const page = await json(seed.list(conversation))
  t.equal(page.has_more, true)
  t.strictSame(
    page.data.map(({ id }: { id: string }) => id),
    sent.slice(0, 10),
    'newest first, of that conversation only',
  )
})

t.test('the create command of seed 001 without @: curl sends the path as text, and is told so', { skip }, async (t) => {
  const { server, json } = await openShell(t)
  const answer = await json(seed.create)
  t.match(answer, { type: 'invalid_request_error', message: /put an @ before the path: -F file=@/ })
  const page = await fetch(answer.documentation_url)
  t.equal(page.status, 200)
  t.match(await page.text(), 'id="invalid_request_error"')
  t.strictSame([await server.states(), await server.remains()], [{}, { objects: [], uploads: [] }])
})
