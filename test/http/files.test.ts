import { sql } from 'drizzle-orm'
import t from 'tap'
import { isSignatureOf, signedFilePath } from '#auth/signed-urls.ts'
import { attach, isBearerError, readAttachment } from '../kit/bearer-api.ts'
import { send } from '../kit/http-client.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

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
  const again = await readAttachment(await send(server, 'GET', `/v1/attachments/${id}`, headers))
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

t.test('a name that comes back revives no link', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const { id, file_url: first } = await attach(server, headers, new File(['x'], 'plan.txt'))
  const rename = async (filename: string) =>
    (await readAttachment(await send(server, 'PUT', `/v1/attachments/${id}`, headers, { filename }))).file_url
  const second = await rename('other.txt')
  const third = await rename('plan.txt')
  for (const [what, dead] of Object.entries({ first, second }))
    await isBearerError(t, await fetch(dead), 404, 'not_found_error', what)
  t.equal(await (await fetch(third)).text(), 'x')
  const again = await readAttachment(await send(server, 'GET', `/v1/attachments/${id}`, headers))
  t.equal(again.file_url, third, 'the same link is given for a while')
  const forged = first.replace('&signature', '&version=2&signature')
  await isBearerError(t, await fetch(forged), 403, 'permission_error', 'a version that was not signed')

  const { attachmentId } = await ownAttachment(server, id)
  const patch = async (fileName: string) => {
    const patched = await fetch(`${server.url}/api/v1/attachments/${attachmentId}`, {
      method: 'PATCH',
      headers: { ...(await server.cookie(2)), 'content-type': 'application/json' },
      body: JSON.stringify({ fileName }),
    })
    t.equal(patched.status, 200)
  }
  await patch('plan.txt')
  t.equal(await (await fetch(third)).text(), 'x', 'its own name again is no rename')
  await patch('other.txt')
  await patch('plan.txt')
  await isBearerError(t, await fetch(third), 404, 'not_found_error', 'renamed through the other API')
})

async function ownAttachment({ db }: TestServer, publicId: string): Promise<{ attachmentId: number }> {
  const [row] = await db.execute<{ id: string }>(sql`select id from attachments where public_id = ${publicId}`)
  return { attachmentId: Number(row?.id) }
}

t.test('who may not read gets no link that opens', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const conversation = { conversation_id: '1' }
  const writer = await server.bearer(2, ['write'])
  const created = await attach(server, writer, new File(['x'], 'a (1).txt'), conversation)
  t.equal(created.file_url, `${server.url.replace('127.0.0.1', 'localhost')}/files/${created.id}/a%20%281%29.txt`)
  await isBearerError(t, await fetch(created.file_url), 403, 'permission_error', 'a token that only writes')
  const rename = (headers: Record<string, string>, filename: string) =>
    send(server, 'PUT', `/v1/attachments/${created.id}`, headers, { filename })
  const renamed = await readAttachment(await rename(writer, 'b.txt'))
  t.notMatch(renamed.file_url, 'signature')

  const outsideAdmin = await readAttachment(await rename(await server.bearer(77, ['read', 'write', 'admin']), 'c.txt'))
  t.notMatch(outsideAdmin.file_url, 'signature', 'an admin who is not in the room may rename, and not read')

  const uploader = await server.bearer(2)
  t.match((await readAttachment(await rename(uploader, 'd.txt'))).file_url, 'signature')
  await server.db.execute(sql`delete from members where user_id = 2 and room_id = 1`)
  const path = `/v1/attachments/${created.id}`
  for (const [method, body] of [['GET'], ['PUT', { filename: 'e.txt' }], ['PUT', {}], ['DELETE']] as const)
    await isBearerError(t, await send(server, method, path, uploader, body), 404, 'not_found_error', `left: ${method}`)
  const { attachmentId } = await ownAttachment(server, created.id)
  for (const method of ['GET', 'PATCH', 'DELETE']) {
    const headers = { ...(await server.cookie(2)), 'content-type': 'application/json' }
    const body = method === 'PATCH' ? '{"fileName":"f.txt"}' : undefined
    const response = await fetch(`${server.url}/api/v1/attachments/${attachmentId}`, {
      method,
      headers,
      body: body ?? null,
    })
    t.equal(response.status, 404, `left: ${method} with the cookie`)
  }
  t.strictSame(await server.states(), { ReadyForDownloadFromServerToClient: 1 })
})

t.test('replicas whose clocks differ agree on when a link ends', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const { id, file_url } = await attach(server, headers)
  const realNow = Date.now
  t.teardown(() => {
    Date.now = realNow
  })
  for (const minutes of [-70, 70]) {
    Date.now = () => realNow() + minutes * 60_000
    t.equal((await fetch(file_url)).status, 200, `${minutes} minutes off: a link of another replica`)
    const its = (await readAttachment(await send(server, 'GET', `/v1/attachments/${id}`, headers))).file_url
    const lasts = Number(new URL(its).searchParams.get('expires')) - realNow() / 1000
    t.ok(lasts > 3590 && lasts < 4510, `${minutes} minutes off: its own link lasts ${lasts} s`)
    const token = await send(server, 'POST', '/v1/tokens', await server.bearer(1, ['admin']), {
      userId: 2,
      expiresInSeconds: 60,
    })
    const { expires_at } = (await token.json()) as { expires_at: number }
    t.ok(Math.abs(expires_at - realNow() / 1000 - 60) < 5, `${minutes} minutes off: so do its tokens`)
  }
})

t.test('the links of an earlier key work as long as it is named', async (t) => {
  const earlier = 'e'.repeat(32)
  for (const [env, status] of [
    [{ URL_SIGNING_KEYS: earlier }, 200],
    [{}, 403],
  ] as const) {
    const server = await startTestServer(t, { store: 'disk', env })
    const { id, file_url } = await attach(server, await server.bearer(2))
    const path = signedFilePath(earlier, { publicId: id, fileName: 'hello.txt', expires: now() + 60 })
    t.equal((await fetch(server.url + path)).status, status)
    t.equal((await fetch(file_url)).status, 200)
    t.notOk(
      isSignatureOf(
        [earlier],
        { publicId: id, fileName: 'hello.txt', expires: Number(new URL(file_url).searchParams.get('expires')) },
        new URL(file_url).searchParams.get('signature') ?? '',
      ),
      'new links are signed with the new one',
    )
  }
})
