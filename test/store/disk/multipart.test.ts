import { open, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openDiskStore } from '#store/disk/disk-store.ts'
import { bytesOf, collect, keptChunksOf } from '../bodies.ts'
import { keepsSessions } from '../contract-multipart.ts'
import { openInTestdir } from '../disk-fixture.ts'

const never = new AbortController().signal
const partSize = 100_000

t.test('The disk store keeps the contract of multipart sessions', async (t) => keepsSessions(t, await openInTestdir(t)))

t.test('A session is private on the machine, whatever the umask', async (t) => {
  const { store, directory } = await openInTestdir(t)
  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  const session = await store.multipart.create('mine/1', { partSize })
  const modes: Record<string, string> = {}
  const look = async (name: string, path: string) => {
    modes[name] = ((await stat(join(directory, 'objects/1', path))).mode & 0o777).toString(8)
  }
  const folder = `mine-1.${session.uploadId}.partial`
  async function* body() {
    yield bytesOf(10)
    const [part = ''] = await readdir(join(directory, 'objects/1', folder))
    await look('part', join(folder, part))
  }
  const part = await store.multipart.putPart(session, 1, body(), { size: 10, signal: never })
  await look('session', folder)
  await store.multipart.complete(session, [part])
  await look('object', 'mine-1')
  t.same(modes, { part: '600', session: '700', object: '600' })
})

t.test('A part that has changed on the disk is not made part of an object', async (t) => {
  const { store, directory } = await openInTestdir(t)
  for (const [index, spoil] of [
    (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 50), Buffer.alloc(1, 7), bytes.subarray(51)]),
    (bytes: Buffer) => bytes.subarray(0, -1),
    (bytes: Buffer) => Buffer.concat([bytes, bytes.subarray(0, 1)]),
  ].entries()) {
    const key = `spoilt/${index}`
    const session = await store.multipart.create(key, { partSize })
    const bytes = bytesOf(partSize)
    const body = keptChunksOf(bytes, 65_536)
    const part = await store.multipart.putPart(session, 1, body, { size: partSize, signal: never })
    const folder = join(directory, `objects/${index}/spoilt-${index}.${session.uploadId}.partial`)
    const [name = ''] = await readdir(folder)
    await writeFile(join(folder, name), spoil(bytes))
    await t.rejects(store.multipart.complete(session, [part]), { code: 'storage_unavailable' })
    t.equal(await store.head(key), undefined)
    await writeFile(join(folder, name), bytes)
    await store.multipart.complete(session, [part])
    t.ok((await collect(await store.get(key, { signal: never }))).equals(bytes), 'and the session goes on')
  }
})

t.test('A part is on the disk when it is answered, and what failed is not', async (t) => {
  const { store, directory } = await openInTestdir(t)
  const session = await store.multipart.create('part/1', { partSize })
  const folder = join(directory, `objects/1/part-1.${session.uploadId}.partial`)
  const putPart = (bytes: Buffer) =>
    store.multipart.putPart(session, 1, keptChunksOf(bytes, 65_536), { size: partSize, signal: never })
  await putPart(bytesOf(partSize))
  const [name = ''] = await readdir(folder)
  await using file = await open(join(folder, name))
  t.ok((await file.readFile()).equals(bytesOf(partSize)))
  await t.rejects(putPart(bytesOf(partSize - 1)))
  t.same(await readdir(folder), [name])
})

t.test('A server that died in the middle of a completion leaves nothing after the next', async (t) => {
  const { store, directory, remains } = await openInTestdir(t)
  const session = await store.multipart.create('died/1', { partSize })
  const part = await store.multipart.putPart(session, 1, keptChunksOf(bytesOf(10), 10), { size: 10, signal: never })
  const folder = join(directory, `objects/1/died-1.${session.uploadId}.partial`)
  await writeFile(join(folder, `0.${'a'.repeat(16)}.partial`), 'half of it')
  await writeFile(join(folder, `2.${'b'.repeat(16)}.partial`), 'half of a part')
  await store.multipart.complete(session, [part])
  t.match(await remains('died/1'), [/died-1$/])
})

t.test('A session id that is none is not looked for', async (t) => {
  const { store, directory } = await openInTestdir(t)
  await writeFile(join(directory, 'objects', 'file.partial'), 'not of a session')
  for (const uploadId of ['', '../../file', 'A'.repeat(32), '0'.repeat(31)]) {
    const session = { key: 'a/1', uploadId, partSize }
    const body = keptChunksOf(bytesOf(1), 1)
    await t.rejects(store.multipart.putPart(session, 1, body, { size: 1, signal: never }), { code: 'not_found' })
    await t.rejects(store.multipart.abort(session), { code: 'not_found' })
  }
  t.same(await readdir(join(directory, 'objects')), ['file.partial'])
})

t.test('A folder that cannot be used fails a session like a put', async (t) => {
  const directory = t.testdir()
  const store = await openDiskStore(directory)
  await writeFile(join(directory, 'objects', '1'), 'not a folder')
  await t.rejects(store.multipart.create('a/1', { partSize }), { code: 'storage_unavailable' })
})
