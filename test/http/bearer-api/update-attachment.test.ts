import t from 'tap'
import { attach, isBearerError, readAttachment } from '../../kit/bearer-api.ts'
import { send } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'

t.test('another name', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const created = await attach(server, headers, new File(['a bill'], 'Invoice_room_service__Plaza_Hotel.pdf'))
  const path = `/v1/attachments/${created.id}`
  const putForm = (body: string) =>
    fetch(server.url + path, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      body,
    })

  await t.test("form-encoded, as the seed's curl sends it", async (t) => {
    const response = await putForm('filename=Invoice_room_service__Plaza_Hotel_updated.pdf')
    t.equal(response.status, 200)
    const updated = await readAttachment(response)
    const { filename, file_url, ...rest } = updated
    t.same(Object.keys(updated).sort(), Object.keys(created).sort())
    t.match(created, rest, 'nothing else changed')
    t.equal(filename, 'Invoice_room_service__Plaza_Hotel_updated.pdf')
    t.ok(new URL(file_url).pathname.endsWith('/Invoice_room_service__Plaza_Hotel_updated.pdf'))
    t.equal(await (await fetch(file_url)).text(), 'a bill', 'the new file_url works')
    await isBearerError(t, await fetch(created.file_url), 404, 'not_found_error', 'the old file_url')
    t.match(await readAttachment(await send(server, 'GET', path, headers)), { filename })
  })

  await t.test('percent-encoded in a form', async (t) => {
    const response = await putForm('filename=%E8%AB%8B%E6%B1%82+%26+100%25.pdf')
    t.equal((await readAttachment(response)).filename, '請求 & 100%.pdf')
  })

  await t.test('as JSON', async (t) => {
    const response = await send(server, 'PUT', path, headers, { filename: '"quoted" 😀.pdf' })
    const { filename, file_url } = await readAttachment(response)
    t.equal(filename, '"quoted" 😀.pdf')
    t.equal(await (await fetch(file_url)).text(), 'a bill')
  })

  await t.test('without filename nothing changes', async (t) => {
    const before = await readAttachment(await send(server, 'GET', path, headers))
    const answers = [
      await send(server, 'PUT', path, headers),
      await send(server, 'PUT', path, headers, {}),
      await send(server, 'PUT', path, headers, { id: 'x', file_size: 1 }),
      await putForm(''),
      await putForm('name=x'),
    ]
    for (const response of answers) {
      t.equal(response.status, 200)
      t.match(await readAttachment(response), { ...before, file_url: String })
    }
  })

  await t.test('what cannot be a name', async (t) => {
    const bad = ['', '.', '..', 'a/b', 'a\\b', 'a\nb', 'a\0b', 'x'.repeat(256), '\ud800', 1, null, ['a'], { a: 1 }]
    for (const filename of bad) {
      const response = await send(server, 'PUT', path, headers, { filename })
      await isBearerError(t, response, 400, 'invalid_request_error', JSON.stringify(filename))
    }
    await isBearerError(t, await putForm('filename=a&filename=b'), 400, 'invalid_request_error', 'two names')
    await isBearerError(t, await putForm('filename='), 400, 'invalid_request_error', 'an empty name')
    for (const name of ['%97.txt', '%E6%97', '%', '%zz', 'a&filename%=b'])
      await isBearerError(t, await putForm(`filename=${name}`), 400, 'invalid_request_error', name)
    const inLatin1 = (type: string, body: string) =>
      fetch(server.url + path, {
        method: 'PUT',
        headers: { ...headers, 'content-type': type },
        body: Buffer.from(body, 'latin1'),
      })
    const form = await inLatin1('application/x-www-form-urlencoded', 'filename=caf\xe9.pdf')
    await isBearerError(t, form, 400, 'invalid_request_error', 'bytes that are not UTF-8 in a form')
    const json = await inLatin1('application/json', '{"filename":"caf\xe9.pdf"}')
    await isBearerError(t, json, 400, 'invalid_request_error', 'bytes that are not UTF-8 in JSON')
    const long = await send(server, 'PUT', path, headers, { filename: 'x'.repeat(2000) })
    const { message } = await isBearerError(t, long, 400, 'invalid_request_error', 'a long name')
    t.match(message, /filename has 2000 characters; at most 1024/)
    t.match(await readAttachment(await send(server, 'GET', path, headers)), { filename: '"quoted" 😀.pdf' })
  })

  await t.test('a body of another kind', async (t) => {
    const form = new FormData()
    form.append('filename', 'other.pdf')
    const multipart = await fetch(server.url + path, { method: 'PUT', headers, body: form })
    await isBearerError(t, multipart, 415, 'invalid_request_error', 'multipart')
    const text = await fetch(server.url + path, { method: 'PUT', headers, body: 'other.pdf' })
    await isBearerError(t, text, 415, 'invalid_request_error', 'text')
    for (const json of [null, [], ['x'], 'x', 1, true])
      await isBearerError(
        t,
        await send(server, 'PUT', path, headers, json),
        400,
        'invalid_request_error',
        JSON.stringify(json),
      )
    t.match(await readAttachment(await send(server, 'GET', path, headers)), { filename: '"quoted" 😀.pdf' })
  })

  await t.test('only who may', async (t) => {
    const json = { filename: 'mine.pdf' }
    await isBearerError(t, await send(server, 'PUT', path, await server.bearer(9), json), 404, 'not_found_error')
    const shared = await attach(server, headers, undefined, { conversation_id: '1' })
    const put = async (userId: number) =>
      send(server, 'PUT', `/v1/attachments/${shared.id}`, await server.bearer(userId), json)
    await isBearerError(t, await put(3), 403, 'permission_error', 'another member')
    t.equal((await put(1)).status, 200, 'the moderator')
  })
})
