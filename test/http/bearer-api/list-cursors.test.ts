import t from 'tap'
import { attach, list, put } from '../../kit/bearer-api.ts'
import { send } from '../../kit/http-client.ts'
import { startTestServer } from '../../kit/server.ts'

t.test('cursors', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  const add = async () => (await attach(server, headers, undefined, { conversation_id: '1' })).id
  const remove = (id: string | undefined) => send(server, 'DELETE', `/v1/attachments/${id}`, headers)
  const page = async (query: Record<string, string>) => {
    const { data, has_more } = await list(server, headers, query)
    return { ids: data.map(({ id }) => id), has_more }
  }
  const a = await add()
  const b = await add()
  const c = await add()
  const d = await add()
  const e = await add()

  await t.test('onwards and back', async (t) => {
    t.same(await page({ limit: '2' }), { ids: [e, d], has_more: true })
    t.same(await page({ limit: '2', starting_after: d }), { ids: [c, b], has_more: true })
    t.same(await page({ limit: '2', starting_after: b }), { ids: [a], has_more: false })
    t.same(await page({ limit: '2', starting_after: a }), { ids: [], has_more: false })
    t.same(await page({ limit: '2', ending_before: a }), { ids: [c, b], has_more: true }, 'those next to the cursor')
    t.same(await page({ limit: '2', ending_before: c }), { ids: [e, d], has_more: false })
    t.same(await page({ limit: '2', ending_before: e }), { ids: [], has_more: false })
    t.same(await page({ limit: '1', starting_after: c, conversation_id: '1' }), { ids: [b], has_more: true })
  })

  await t.test('rows that come between two pages are neither repeated nor hide others', async (t) => {
    const first = await page({ limit: '2' })
    t.same(first.ids, [e, d])
    const f = await add()
    t.same(await page({ limit: '2', starting_after: d }), { ids: [c, b], has_more: true })
    t.same(await page({ limit: '2', ending_before: e }), { ids: [f], has_more: false }, 'and are found on the way back')
  })

  await t.test('rows that go, the cursor among them', async (t) => {
    await remove(d)
    t.same(await page({ limit: '2', starting_after: d }), { ids: [c, b], has_more: true })
    await remove(c)
    t.same(await page({ limit: '2', starting_after: d }), { ids: [b, a], has_more: false })
    t.same(await page({ limit: '1', ending_before: d }), { ids: [e], has_more: true })
    await remove(a)
    t.same(await page({ limit: '2', starting_after: b }), { ids: [], has_more: false })
    t.same(await page({ limit: '2', starting_after: a }), { ids: [], has_more: false })
  })
})

t.test('pages over several conversations', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const headers = await server.bearer(2)
  await put(server, '/v1/rooms/20', { memberIds: [2] })
  const places = [{}, { conversation_id: '1' }, { conversation_id: '20' }, { message_id: '1' }]
  const ids: string[] = []
  for (const number of [3, 0, 1, 1, 2, 0, 0, 3, 2, 1, 0])
    ids.unshift((await attach(server, headers, undefined, places[number])).id)

  for (const limit of [1, 2, 3, 5, 11]) {
    const onwards: string[] = []
    for (let query: Record<string, string> = {}, more = true; more; ) {
      const { data, has_more } = await list(server, headers, { ...query, limit: `${limit}` })
      onwards.push(...data.map(({ id }) => id))
      query = { starting_after: onwards.at(-1) ?? '' }
      more = has_more
    }
    t.same(onwards, ids, `onwards by ${limit}`)

    const back = [ids.at(-1) ?? '']
    for (let more = true; more; ) {
      const { data, has_more } = await list(server, headers, { ending_before: back[0] ?? '', limit: `${limit}` })
      back.unshift(...data.map(({ id }) => id))
      more = has_more
    }
    t.same(back, ids, `back by ${limit}`)
  }
})
