import { sql } from 'drizzle-orm'
import t from 'tap'
import { signedFilePath } from '../../src/access/signed-urls.ts'
import { startTestServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import { attach, isBearerError, readJson, send } from './bearer-api/requests.ts'

/** The key of test servers. */
const key = 'k'.repeat(32)
const now = () => Math.floor(Date.now() / 1000)

t.test('a link is for one file, one name, one time', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const one = new URL((await attach(server, headers, new File(['one'], 'photo.png'))).file_url)
  const two = new URL((await attach(server, headers, new File(['two'], 'photo.png'))).file_url)
  t.equal(await (await fetch(one)).text(), 'one')
  t.equal(await (await fetch(two)).text(), 'two')

  const [, , id1, name] = one.pathname.split('/')
  const [, , id2] = two.pathname.split('/')
  const expires = one.searchParams.get('expires') ?? ''
  const signature = one.searchParams.get('signature') ?? ''
  t.match(expires, /^\d{10}$/)
  t.match(signature, /^[\w-]{43}$/)
  const changed = (character: string) => (character === 'A' ? 'B' : 'A')
  const tampered = {
    'another file': `/files/${id2}/${name}?expires=${expires}&signature=${signature}`,
    'another name': `/files/${id1}/photo.html?expires=${expires}&signature=${signature}`,
    'a later end': `/files/${id1}/${name}?expires=${Number(expires) + 1}&signature=${signature}`,
    'an earlier end': `/files/${id1}/${name}?expires=${Number(expires) - 1}&signature=${signature}`,
    'another signature': `/files/${id1}/${name}?expires=${expires}&signature=${two.searchParams.get('signature')}`,
    'first character': `/files/${id1}/${name}?expires=${expires}&signature=${changed(signature[0] as string)}${signature.slice(1)}`,
    'last character': `/files/${id1}/${name}?expires=${expires}&signature=${signature.slice(0, -1)}${changed(signature.at(-1) as string)}`,
    'cut short': `/files/${id1}/${name}?expires=${expires}&signature=${signature.slice(0, -1)}`,
    'too long': `/files/${id1}/${name}?expires=${expires}&signature=${signature}A`,
    'not ASCII': `/files/${id1}/${name}?expires=${expires}&signature=${'%C3%A9'.repeat(22)}`,
    'an empty signature': `/files/${id1}/${name}?expires=${expires}&signature=`,
    'no signature': `/files/${id1}/${name}?expires=${expires}`,
    'no end': `/files/${id1}/${name}?signature=${signature}`,
    'no query': `/files/${id1}/${name}`,
    'an end that is no number': `/files/${id1}/${name}?expires=${expires}.0&signature=${signature}`,
    'an end with more digits than there are years': `/files/${id1}/${name}?expires=${'9'.repeat(13)}&signature=${signature}`,
    'a file that never was': `/files/${'A'.repeat(16)}/${name}?expires=${expires}&signature=${signature}`,
    'an id that is none': `/files/1/${name}?expires=${expires}&signature=${signature}`,
  }
  for (const [what, path] of Object.entries(tampered))
    for (const method of ['GET', 'HEAD']) {
      const response = await fetch(server.url + path, { method })
      if (method === 'GET') await isBearerError(t, response, 403, 'permission_error', what)
      else t.equal(response.status, 403, what)
    }
  const twice = `/files/${id1}/${name}?expires=${expires}&expires=${expires}&signature=${signature}`
  await isBearerError(t, await fetch(server.url + twice), 400, 'invalid_request_error', 'the end twice')

  for (const [what, otherKey] of [['another key', 'x'.repeat(32)] as const, ['no key', ''] as const]) {
    const path = signedFilePath(otherKey, { publicId: id1 as string, fileName: 'photo.png', expires: Number(expires) })
    await isBearerError(t, await fetch(server.url + path), 403, 'permission_error', what)
  }
})

t.test('a link ends', async (t) => {
  const server = await startTestServer(t, { store: 'disk', env: { FILE_URL_SECONDS: '2' } })
  const headers = await server.bearer(2)
  const minted = now()
  const { id, file_url } = await attach(server, headers)
  const expires = Number(new URL(file_url).searchParams.get('expires'))
  t.ok(expires >= minted + 2 && expires <= now() + 2, 'FILE_URL_SECONDS from now')
  t.equal((await fetch(file_url)).status, 200)
  const ended = await until('the link ends', async () => {
    const response = await fetch(file_url)
    return response.status === 200 ? undefined : response
  })
  t.ok(Date.now() / 1000 >= expires, 'not before its time')
  const { message } = await isBearerError(t, ended as Response, 403, 'permission_error')
  t.match(message, /expired/)
  const again = await readJson(await send(server, 'GET', `/v1/attachments/${id}`, headers))
  t.equal((await fetch(again.file_url)).status, 200, 'a new one is to be had')
})

t.test('what a good signature alone does not open', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const sign = (publicId: string, fileName: string) =>
    server.url + signedFilePath(key, { publicId, fileName, expires: now() + 60 })
  const { id } = await attach(server, headers)
  t.equal((await fetch(sign(id, 'hello.txt'))).status, 200)
  await isBearerError(t, await fetch(sign(id, 'hello.exe')), 404, 'not_found_error', 'a name it does not have')
  await isBearerError(t, await fetch(sign('A'.repeat(16), 'x')), 404, 'not_found_error', 'a file that never was')
  await isBearerError(t, await fetch(sign('1', 'x')), 404, 'not_found_error', 'an id that is none')

  await server.db.execute(sql`
    insert into attachments (public_id, message_id, room_id, uploader_id, file_name, content_type,
      file_checksum_algorithm, state, attempt, file_size, file_checksum)
    values ('NotReadyNotReady', 1, 1, 2, 'x', 'text/plain', 'sha256', 'ChecksumVerificationOnServerSideMismatch', 1, 1, 'ab')`)
  await isBearerError(t, await fetch(sign('NotReadyNotReady', 'x')), 404, 'not_found_error', 'not Ready')

  await send(server, 'DELETE', `/v1/attachments/${id}`, headers)
  await isBearerError(t, await fetch(sign(id, 'hello.txt')), 404, 'not_found_error', 'deleted')
})

t.test('a link outlives what its owner may do, but not the file', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { file_url } = await attach(server, await server.bearer(2), undefined, { conversation_id: '1' })
  await server.db.execute(sql`delete from members where user_id = 2`)
  t.equal((await fetch(file_url)).status, 200, 'it is its own permission')
})

t.test('other methods', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { file_url } = await attach(server, await server.bearer(2))
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    const response = await fetch(file_url, { method })
    t.equal(response.headers.get('allow'), 'GET, HEAD')
    await isBearerError(t, response, 405, 'invalid_request_error', method)
  }
})

t.test('a name in normal form D finds the file', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { file_url } = await attach(server, await server.bearer(2), new File(['x'], 'é.txt'))
  const decomposed = file_url.replace(encodeURIComponent('é'), encodeURIComponent('é'.normalize('NFD')))
  t.not(decomposed, file_url)
  t.equal((await fetch(decomposed)).status, 200)
})
