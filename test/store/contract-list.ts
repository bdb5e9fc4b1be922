import type { Test } from 'tap'
import type { ListEntry, Listing, ListOptions, ObjectStore } from '#store/object-store.ts'
import { until } from '../kit/until.ts'
import { bytesOf, hangingAfter, keptChunksOf } from './bodies.ts'
import type { StoreUnderTest } from './contract.ts'

const never = new AbortController().signal

/** What every store must show when it is listed. Others may have left something in it. */
export function listsEverything(t: Test, { store, partSize }: StoreUnderTest): void {
  t.test('lists an object with its size and its age', async (t) => {
    const before = Date.now()
    await store.put('listed/1', keptChunksOf(bytesOf(1234), 1000), { signal: never })
    const [listed, ...others] = (await list(store, 'objects')).filter(({ key }) => key === 'listed/1')
    t.same(others, [])
    t.equal(listed?.size, 1234)
    // S3 tells seconds.
    const { storedAt = new Date(0) } = listed ?? {}
    t.ok(storedAt.getTime() > before - 2000 && storedAt.getTime() < Date.now() + 2000, storedAt.toISOString())
    t.same(await list(store, 'objects', { key: 'listed/1' }), [listed], 'alone, too')
    t.same(await list(store, 'uploads', { key: 'listed/1' }), [], 'it is no unfinished upload')
    await store.remove('listed/1')
    t.same(await list(store, 'objects', { key: 'listed/1' }), [])
  })

  t.test('lists exactly a key', async (t) => {
    for (const key of ['exact/a', 'exact/ab', 'exact/abc'])
      await store.put(key, keptChunksOf(bytesOf(5), 5), { signal: never })
    t.same(keysOf(await list(store, 'objects', { key: 'exact/ab' })), ['exact/ab'])
    t.same(await list(store, 'objects', { key: 'exact/' }), [])
    t.same(await list(store, 'objects', { key: 'exact/b' }), [])
  })

  t.test('lists what a put has begun', async (t) => {
    const controller = new AbortController()
    const put = store.put('begun/1', hangingAfter(bytesOf(2 * partSize)), { signal: controller.signal })
    put.catch(() => {})
    const begun = () => list(store, 'uploads', { key: 'begun/1' })
    await until('the upload is listed', async () => (await begun()).length > 0)
    t.same(keysOf(await begun()), ['begun/1'])
    const all = (await list(store, 'uploads')).filter(({ key }) => key === 'begun/1')
    const uploadIds = (await begun()).map(({ uploadId }) => uploadId)
    t.same(
      all.map(({ uploadId }) => uploadId),
      uploadIds,
      'among all others, too',
    )
    t.same(await list(store, 'objects', { key: 'begun/1' }), [], 'it is no object')
    controller.abort()
    await t.rejects(put)
    await store.remove('begun/1')
    t.same(await begun(), [])
  })

  t.test('lists more than a page, in pages', async (t) => {
    const keys = Array.from({ length: 1050 }, (_, n) => `pages/${(n % 16).toString(16)}${n}`)
    const waiting = [...keys]
    const putting = async () => {
      for (let key = waiting.pop(); key !== undefined; key = waiting.pop())
        await store.put(key, keptChunksOf(bytesOf(1), 1), { signal: never })
    }
    await Promise.all(Array.from({ length: 16 }, putting))
    const sizes: number[] = []
    const seen: string[] = []
    for await (const page of store.list('objects', { signal: never })) {
      sizes.push(page.length)
      seen.push(...keysOf(page).filter((key) => key.startsWith('pages/')))
    }
    t.ok(sizes.length > 1 && sizes.every((size) => size <= 1000), `pages of ${sizes}`)
    t.same(seen.sort(), keys.sort(), 'every key once')
  })

  t.test('ends a listing whose signal aborts', async (t) => {
    const reason = new Error('The scrub was stopped')
    const controller = new AbortController()
    const listing = async () => {
      for await (const _ of store.list('objects', { signal: controller.signal })) controller.abort(reason)
    }
    t.equal(await listing().catch((error) => error), reason)
  })

  t.test('has no versions of what was written once', async (t) => t.same(await list(store, 'versions'), []))
}

async function list(store: ObjectStore, listing: Listing, options: Partial<ListOptions> = {}): Promise<ListEntry[]> {
  const listed: ListEntry[] = []
  for await (const page of store.list(listing, { signal: never, ...options })) listed.push(...page)
  return listed
}

function keysOf(listed: readonly ListEntry[]): string[] {
  return listed.map(({ key }) => key)
}
