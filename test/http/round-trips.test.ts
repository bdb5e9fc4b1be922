import t, { type Test } from 'tap'
import { attach, list } from '../kit/bearer-api.ts'
import { startBehindLine } from '../kit/behind-line.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { Session } from '../kit/cookie-api.ts'
import { expectBytes, expectJson, send } from '../kit/http-client.ts'
import { readMessages } from '../kit/postgres-replies.ts'
import type { StoreKind, TestServer } from '../kit/server.ts'

/** A server whose round trips to the database are counted: each ends with a message ReadyForQuery. */
async function startCounted(t: Test, store: StoreKind) {
  let trips = 0
  const readReplies = () =>
    readMessages((letter) => {
      if (letter === 'Z') trips += 1
    })
  const { server } = await startBehindLine(t, { store, withWorkers: false }, { readReplies })
  return { server, trips: () => trips }
}

const file = (size = 5) => new File([new Uint8Array(size)], 'a.bin')

type Send = () => Promise<unknown>

interface Counted {
  name: string
  /** A word for each round trip. */
  trips: readonly string[]
  /** A `PUT` needs a reservation before it is counted. */
  prepare(): Promise<Send>
}

async function requestsOf(server: TestServer, store: StoreKind): Promise<Counted[]> {
  const session = await Session.of(server, 1)
  const token = await server.bearer(1)
  const [id = 0] = await session.upload(file())
  const attached = await attach(server, token, file())
  const reservation = { fileName: 'a.bin', fileSize: 5 }
  const get = (path: string) => expectJson(send(server, 'GET', path, token))
  const counted = (name: string, trips: string[], act: Send): Counted => ({ name, trips, prepare: async () => act })
  // The disk confirms no checksum, so a file passes through verification in a statement of its own.
  const published = store === 's3' ? ['publish'] : ['verify', 'publish']
  const uploadId = store === 's3' ? ['upload id'] : []
  return [
    counted('cookie API: form', ['session', 'message', 'intent', ...published], () => session.upload(file())),
    counted('cookie API: form of 3 files', ['session', 'message', ...Array(3).fill('intent'), ...published], () =>
      session.upload(file(), file(), file()),
    ),
    counted('cookie API: form in parts', ['session', 'message', 'intent', ...uploadId, ...published], () =>
      session.upload(file(6 * 2 ** 20)),
    ),
    counted('cookie API: reservation', ['session', 'message', 'reservation'], () => session.reserve(reservation)),
    {
      name: 'cookie API: PUT',
      trips: ['session', 'attachment', 'attempt', ...published],
      async prepare() {
        const reserved = await session.reserve(reservation)
        return () => expectJson(session.put(reserved, 'a.bin', new Uint8Array(5)))
      },
    },
    counted('cookie API: metadata', ['session', 'attachment'], () => session.metadata(id)),
    counted('cookie API: list', ['session', 'message', 'attachments'], () => session.list()),
    counted('cookie API: download', ['session', 'attachment'], () => expectBytes(session.download(id, 'a.bin'))),
    counted('cookie API: rename', ['session', 'attachment', 'rename'], () =>
      expectJson(session.patch(id, { fileName: 'a.bin' })),
    ),
    counted('bearer API: form', ['token', 'room', 'message', 'intent', ...published, 'attachment'], () =>
      attach(server, token, file()),
    ),
    counted('bearer API: metadata', ['token', 'attachment'], () => get(`/v1/attachments/${attached.id}`)),
    counted('bearer API: list', ['token', 'attachments'], () => list(server, token)),
    counted('signed link', ['attachment'], () => expectBytes(fetch(attached.file_url))),
  ]
}

for (const store of ['disk', 's3'] as const)
  t.test(`round trips to the database, on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const { server, trips } = await startCounted(t, store)
    for (const { name, trips: expected, prepare } of await requestsOf(server, store)) {
      const counts: number[] = []
      for (let time = 0; time < 4; time += 1) {
        const send = await prepare()
        const before = trips()
        await send()
        counts.push(trips() - before)
      }
      // A statement that a connection runs for the first time takes two trips, and the watch of the server has trips of its own.
      t.equal(Math.min(...counts), expected.length, `${name}: ${expected.join(', ')}`)
    }
  })
