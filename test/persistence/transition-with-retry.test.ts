import { DrizzleQueryError } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { insertIntent } from '#persistence/attempts.ts'
import type { Database } from '#persistence/connection/client.ts'
import { unavailable } from '#persistence/connection/errors.ts'
import { listTransitions } from '#persistence/queries.ts'
import { transition, transitionWithRetry } from '#persistence/transitions.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'

const from = 'UploadFromClientToServerInProgress'
const via = { state: 'ChecksumVerificationOnServerSideInProgress', reason: 'a test' } as const
const why = { reason: 'a test', actor: 'user:1' }
const published = { from, via, to: 'ReadyForDownloadFromServerToClient', ...why } as const
const never = { signal: new AbortController().signal, seconds: 60 }

async function begin({ db }: TestServer, objectKey: string) {
  const file = { fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm: 'sha256' }
  const writer = { objectKey, leaseSeconds: 60, requestId: 'a' }
  const attachment = await insertIntent(db, { messageId: 1, uploaderId: 1, ...file, ...writer, ...why })
  return { id: attachment?.id ?? 0, attempt: 1, fileSize: 1, fileChecksum: 'ab' }
}

/** A database that loses its connection some times, before or after it has done what it was asked. */
function losing(db: Database, times: number, when: 'before' | 'after'): Database {
  let left = times
  const lost = () => new DrizzleQueryError('', [], unavailable('CONNECTION_LOST', 'lost'))
  const execute: Database['execute'] = (async (statement: Parameters<Database['execute']>[0]) => {
    if (left === 0) return db.execute(statement)
    left -= 1
    if (when === 'after') await db.execute(statement)
    throw lost()
  }) as unknown as Database['execute']
  return Object.assign(Object.create(db), { execute })
}

t.test('a move while the database comes and goes', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  const { db } = server
  const { log } = server.app
  const isReady = async (t: Test, attempts: { id: number }[], moved: { id: number; state: string }[]) => {
    t.same(
      moved.map(({ id }) => id),
      attempts.map(({ id }) => id),
    )
    for (const { state } of moved) t.equal(state, published.to)
    for (const { id } of attempts) t.equal((await listTransitions(db, id)).length, 4, 'moved once')
  }

  await t.test('not done, and tried again', async (t) => {
    const attempts = [await begin(server, 'aa/1'), await begin(server, 'aa/2')]
    await isReady(
      t,
      attempts,
      await transitionWithRetry({ db: losing(db, 3, 'before'), log }, attempts, published, never),
    )
  })

  await t.test('done, and its answer lost', async (t) => {
    const attempts = [await begin(server, 'bb/2'), await begin(server, 'bb/1')].reverse()
    await isReady(
      t,
      attempts,
      await transitionWithRetry({ db: losing(db, 1, 'after'), log }, attempts, published, never),
    )
  })

  await t.test('done, its answer lost, and the lease, which it has no more, not renewed', async (t) => {
    const attempts = [await begin(server, 'bb/3')]
    const lease = new AbortController()
    const log = { ...server.app.log, warn: () => lease.abort(new Error('lost')) } as typeof server.app.log
    const moving = transitionWithRetry({ db: losing(db, 1, 'after'), log }, attempts, published, {
      ...never,
      signal: lease.signal,
    })
    await isReady(t, attempts, await moving)
  })

  await t.test('not done, and somebody else was first', async (t) => {
    const [one, other] = [await begin(server, 'cc/1'), await begin(server, 'cc/2')]
    const { id, attempt } = other
    await transition(db, [{ id, attempt }], { from, to: 'UploadFromClientToServerFailed', ...why })
    const lost = transitionWithRetry({ db: losing(db, 1, 'before'), log }, [one, other], published, never)
    await t.rejects(lost, { name: 'StateConflict' })
    t.equal((await listTransitions(db, one.id)).length, 2)
  })

  await t.test('until the lease is lost', async (t) => {
    const attempt = await begin(server, 'dd/1')
    const lease = new AbortController()
    const reason = new Error('lost')
    setImmediate(() => lease.abort(reason))
    await t.rejects(
      transitionWithRetry({ db: losing(db, Infinity, 'before'), log }, [attempt], published, {
        ...never,
        signal: lease.signal,
      }),
      reason,
    )
  })

  await t.test(
    'for as long as one lease lasts, though it could be renewed for ever, and one line tells it',
    async (t) => {
      const attempt = await begin(server, 'ff/1')
      const lines: string[] = []
      const warn = (_: unknown, line: string) => lines.push(line)
      const log = { ...server.app.log, warn } as unknown as typeof server.app.log
      const startedAt = performance.now()
      const moving = transitionWithRetry({ db: losing(db, Infinity, 'before'), log }, [attempt], published, {
        ...never,
        seconds: 1,
      })
      await t.rejects(moving, { cause: { code: 'CONNECTION_LOST' } })
      const seconds = (performance.now() - startedAt) / 1000
      t.ok(seconds > 0.5 && seconds < 5, `${seconds} s`)
      t.strictSame(lines, ['not moved yet'])
      t.equal((await listTransitions(db, attempt.id)).length, 2, 'nothing has been moved')
    },
  )

  await t.test('what is wrong otherwise is wrong at once', async (t) => {
    const attempt = await begin(server, 'ee/1')
    const whole = { ...attempt, fileSize: undefined }
    await t.rejects(transitionWithRetry({ db, log }, [whole], published, never), {
      cause: { constraint_name: 'attachments_ready_whole' },
    })
  })
})
