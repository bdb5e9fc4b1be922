import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../../kit/until.ts'
import { invoice, openShell, skipWithoutCurl as skip } from './shell.ts'

t.test('several files in one form: a PDF, an empty file, a name in Japanese, one with quotes', { skip }, async (t) => {
  const { server, cwd, print, json } = await openShell(t)
  const names = ['invoice.pdf', 'empty.txt', '契約書（最終版）.pdf', 'the "final" one; really, 100%.bin']
  const contents = [invoice, Buffer.alloc(0), invoice, randomBytes(2_500_000)]
  for (const [index, name] of names.entries()) await writeFile(join(cwd, name), contents[index] as Buffer)

  const forms = names.map((name) => `-F 'files=@"${name.replaceAll('"', '\\"')}"'`).join(' ')
  const uploaded = await json(`curl -b "$COOKIE" ${forms} "$URL/api/v1/messages/1/attachments"`)
  t.match(uploaded, { httpStatusCode: 200, attachmentIds: { length: names.length } })
  for (const [index, name] of names.entries()) {
    const id = uploaded.attachmentIds[index]
    const metadata = await json(`curl -b "$COOKIE" "$URL/api/v1/attachments/${id}"`)
    const fileChecksum = createHash('sha256')
      .update(contents[index] as Buffer)
      .digest('hex')
    t.match(metadata, {
      attachmentId: id,
      attachmentState: 'ReadyForDownloadFromServerToClient',
      fileName: name,
      fileSize: contents[index]?.length,
      fileChecksum,
    })
    const address = `$URL/api/v1/attachments/${id}/${encodeURIComponent(name)}`
    t.match(await print(`curl -b "$COOKIE" "${address}" | sha256sum`), fileChecksum)
    t.strictSame(await json(`curl -b "$COOKIE" -X DELETE "$URL/api/v1/attachments/${id}"`), { httpStatusCode: 200 })
  }
  t.strictSame(await server.states(), {})
})

t.test('a download under the name the server suggests, and one that is taken up again', { skip }, async (t) => {
  const { cwd, print, json } = await openShell(t)
  const bytes = randomBytes(300_000)
  await writeFile(join(cwd, 'sent.bin'), bytes)
  const { attachmentIds } = await json('curl -b "$COOKIE" -F files=@sent.bin "$URL/api/v1/messages/1/attachments"')
  const address = `$URL/api/v1/attachments/${attachmentIds[0]}/sent.bin`
  await print(`mkdir named && cd named && curl -b "$COOKIE" -OJ "${address}"`)
  t.strictSame(await readdir(join(cwd, 'named')), ['sent.bin'])
  t.ok(bytes.equals(await readFile(join(cwd, 'named', 'sent.bin'))))

  await writeFile(join(cwd, 'half.bin'), bytes.subarray(0, 123_456))
  const downloaded = await print(`curl -b "$COOKIE" -C - -o half.bin -w '%{size_download}' "${address}"`)
  t.equal(downloaded, String(300_000 - 123_456), 'only the rest is sent')
  t.ok(bytes.equals(await readFile(join(cwd, 'half.bin'))))
})

t.test('a refused upload is answered, however much is still being sent', { skip }, async (t) => {
  const { server, cwd, json } = await openShell(t, { MAX_FILE_SIZE: '1MiB' })
  await writeFile(join(cwd, 'large.bin'), Buffer.alloc(30_000_000))
  const send = '-F files=@large.bin "$URL/api/v1/messages/1/attachments"'
  const unauthorized = await json(`curl -b session=unknown ${send}`)
  t.strictSame(unauthorized, {
    errorText: 'Wrong Bearer, please renew Web API Access Token',
    httpStatusCode: 401,
  })
  t.match(await json(`curl -b "$COOKIE" ${send}`), { httpStatusCode: 413 })
  t.match(await json(`curl -b "$COOKIE" -H Expect: ${send}`), { httpStatusCode: 413 }, 'without asking first')
  t.match(await json(`curl -b "$COOKIE" ${send.replace('files=', 'file=')}`), {
    errorText: /"files"/,
    httpStatusCode: 400,
  })
  await until('the bytes of those refused are removed', async () => (await server.unpurged()) === 0)
  t.strictSame(await server.remains(), { objects: [], uploads: [] })
  t.strictSame(await server.states(), { UploadFromClientToServerFailed: 2 })
})
