import { chmod, open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openDiskStore } from '#store/disk/disk-store.ts'
import { bytesOf, chunksOf, collect } from './bodies.ts'
import { objectStoreContract } from './contract.ts'
import { openInTestdir } from './disk-fixture.ts'

const never = new AbortController().signal

t.test('The disk store keeps the contract of an object store', async (t) =>
  objectStoreContract(t, await openInTestdir(t)),
)

t.test('A file has its name only when it is whole', async (t) => {
  const { store, remains } = await openInTestdir(t)
  const seen: string[][] = []
  async function* body() {
    yield bytesOf(100)
    seen.push(await remains('whole/1'))
    yield bytesOf(100)
  }
  await store.put('whole/1', body(), { signal: never })
  t.match(seen, [[/whole-1\.partial$/]])
  t.match(await remains('whole/1'), [/whole-1$/])
})

t.test('The disk store reads no faster than it writes', async (t) => {
  const directory = t.testdir()
  const store = await openDiskStore(directory)
  async function* body() {
    for (let written = 0; written < 100; written++) {
      if (written > 0) {
        await using file = await open(join(directory, 'objects/1/slow-1.partial'))
        t.equal((await file.stat()).size, written * 1000)
      }
      yield bytesOf(1000)
    }
  }
  await store.put('slow/1', body(), { signal: never })
})

t.test('Nobody else on the machine may look in, whatever the umask and what was there before', async (t) => {
  const directory = t.testdir({ objects: { aa: { 'aa-old': 'stored with wider modes' } } })
  await chmod(join(directory, 'objects'), 0o755)
  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  const store = await openDiskStore(directory)
  const modes: string[] = []
  const look = async (path: string) => modes.push(((await stat(join(directory, path))).mode & 0o777).toString(8))
  async function* body() {
    yield bytesOf(10)
    await look('objects/1/mine-1.partial')
  }
  await store.put('mine/1', body(), { signal: never })
  for (const path of ['objects', 'objects/1', 'objects/1/mine-1']) await look(path)
  t.strictSame(modes, ['600', '700', '700', '600'])
})

t.test('A key is never written twice', async (t) => {
  const { store, remains } = await openInTestdir(t)
  await store.put('twice/1', chunksOf(bytesOf(10), 10), { signal: never })
  await t.rejects(store.put('twice/1', chunksOf(bytesOf(20), 10), { signal: never }))
  t.same(await store.head('twice/1'), { size: 10 })
  await store.remove('twice/1')
  t.same(await remains('twice/1'), [])
})

t.test('A file that is shorter than it was fails instead of ending early', async (t) => {
  const directory = t.testdir()
  const store = await openDiskStore(directory)
  await store.put('short/1', chunksOf(bytesOf(5_000_000), 65_536), { signal: never })
  const stream = await store.get('short/1', { signal: never })
  const path = join(directory, 'objects/1/short-1')
  await truncate(path, 3_000_000)
  await t.rejects(collect(stream), /ends at byte 3000000 of 5000000/)
})

t.test('A stream that was never read is closed when destroyed', async (t) => {
  const { store, openReads } = await openInTestdir(t)
  await store.put('unread/1', chunksOf(bytesOf(10), 10), { signal: never })
  const stream = await store.get('unread/1', { signal: never })
  t.equal(await openReads?.(), 1)
  await new Promise<void>((closed) => stream.once('close', closed).destroy())
  t.equal(await openReads?.(), 0)
})

t.test('A folder that cannot be used is said so, with the setting to fix', async (t) => {
  const directory = t.testdir({ file: 'not a folder' })
  await t.rejects(openDiskStore(join(directory, 'file')), { code: 'storage_unavailable', message: /DATA_DIR/ })

  const store = await openDiskStore(join(directory, 'gone'))
  await rm(join(directory, 'gone'), { recursive: true })
  await writeFile(join(directory, 'gone'), 'not a folder')
  await t.rejects(store.check(never), { code: 'storage_unavailable', message: /DATA_DIR/ })
  await t.rejects(store.put('a/b', chunksOf(bytesOf(1), 1), { signal: never }), { code: 'storage_unavailable' })
  await t.rejects(store.head('a/b'), { code: 'storage_unavailable' })
  await t.rejects(store.get('a/b', { signal: never }), { code: 'storage_unavailable' })
  await t.rejects(store.remove('a/b'), { code: 'storage_unavailable' })
})
