import { type SQL, sql } from 'drizzle-orm'
import t from 'tap'
import type { Database } from '#persistence/connection/client.ts'
import { claimExpired, releaseLeases, renewLeases } from '#persistence/leases.ts'
import { begin, expire, startIdle, uploading } from '../kit/abandoned-attempt.ts'
import { attach } from '../kit/bearer-api.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { Session, textFile } from '../kit/cookie-api.ts'
import { startOnOneConnection } from '../kit/replica.ts'
import type { StoreKind } from '../kit/server.ts'
import { growing } from './million-rows.ts'

/** Row versions that updates made, and how many of them needed no new entry in any index. */
type Updates = {
  all: number
  hot: number
}

const none: Updates = { all: 0, hot: 0 }

type Counts = Record<'attachments' | 'objects', Updates>

async function count(db: Database, view: SQL): Promise<Counts> {
  const rows = await db.execute<Updates & { name: keyof Counts }>(sql`
    select relname as name, n_tup_upd::int as all, n_tup_hot_upd::int as hot from ${view}`)
  const of = (table: keyof Counts): Updates => {
    const { all, hot } = rows.find(({ name }) => name === table) as Updates
    return { all, hot }
  }
  return { attachments: of('attachments'), objects: of('objects') }
}

/** The updates that `work` makes, between two counts. */
async function between(counting: () => Promise<Counts>, work: () => Promise<unknown>): Promise<Counts> {
  const before = await counting()
  await work()
  const after = await counting()
  const since = (table: keyof Counts): Updates => ({
    all: after[table].all - before[table].all,
    hot: after[table].hot - before[table].hot,
  })
  return { attachments: since('attachments'), objects: since('objects') }
}

/** The updates that `work` makes in one transaction. */
function inTransaction(db: Database, work: (tx: Database) => Promise<unknown>): Promise<Counts> {
  return db.transaction((tx) =>
    between(
      () => count(tx, sql`pg_stat_xact_user_tables`),
      () => work(tx),
    ),
  )
}

/** The updates that `work` makes on the only connection of `db`. */
function onConnection(db: Database, work: () => Promise<unknown>): Promise<Counts> {
  const counting = async () => {
    // What a connection has counted is told to others at the end of a transaction, a second late unless asked to.
    await db.execute(sql`select pg_stat_force_next_flush()`)
    return count(db, sql`pg_stat_user_tables`)
  }
  return between(counting, work)
}

t.test('a lease is renewed, released and claimed by HOT updates', async (t) => {
  const server = await startIdle(t)
  const attempts = await Promise.all([1, 2, 3].map(() => begin(server)))
  const renewed = await inTransaction(server.db, async (tx) => {
    await renewLeases(tx, attempts, 60)
    await releaseLeases(tx, attempts)
  })
  t.same(renewed.attachments, { all: 6, hot: 6 })
  for (const attempt of attempts) await expire(server, attempt)
  const claimed = await inTransaction(server.db, (tx) => claimExpired(tx, uploading, 50, 60))
  t.same(claimed.attachments, { all: 3, hot: 3 })
})

/** Updates of `attachments` and `objects` by the uploads of one file, one large file, two files, and a reservation. */
const updates: Record<StoreKind, Record<string, Counts>> = {
  // The last byte of a file on disk is followed by a move to verification and one to Ready.
  disk: {
    form: { attachments: { all: 2, hot: 0 }, objects: none },
    'large form': { attachments: { all: 2, hot: 0 }, objects: none },
    'form of two': { attachments: { all: 4, hot: 0 }, objects: none },
    reserved: { attachments: { all: 3, hot: 0 }, objects: none },
  },
  // S3 confirms what it stored, and both moves are one update.
  s3: {
    form: { attachments: { all: 1, hot: 0 }, objects: none },
    'large form': { attachments: { all: 1, hot: 0 }, objects: { all: 1, hot: 1 } },
    'form of two': { attachments: { all: 2, hot: 0 }, objects: none },
    reserved: { attachments: { all: 2, hot: 0 }, objects: none },
  },
}

for (const [store, expected] of Object.entries(updates) as [StoreKind, Record<string, Counts>][])
  t.test(`the updates of an upload: ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startOnOneConnection(t, await startIdle(t, { store }))
    const bearer = await server.bearer(2)
    const session = await Session.of(server, 2)
    const large = new File([Buffer.alloc(6_000_000)], 'large.bin')
    const uploads: Record<string, () => Promise<unknown>> = {
      form: () => attach(server, bearer),
      'large form': () => attach(server, bearer, large),
      'form of two': () => session.upload(textFile('a'), textFile('b')),
      async reserved() {
        const id = await session.reserve({ contentType: 'text/plain', fileSize: 1 })
        t.equal((await session.put(id, 'a.txt', 'x')).status, 200)
      },
    }
    for (const [what, upload] of Object.entries(uploads))
      t.same(await onConnection(server.db, upload), expected[what], what)
  })

t.test('autovacuum looks after each table that grows when a fiftieth of it has changed', async (t) => {
  const { db } = await startIdle(t)
  const wanted = '{autovacuum_vacuum_scale_factor=0.02,autovacuum_analyze_scale_factor=0.02}'
  for (const table of growing) {
    const [row] = await db.execute<{ has: boolean }>(sql`
      select reloptions @> ${wanted}::text[] as has from pg_class where oid = ${table}::regclass`)
    t.equal(row?.has, true, table)
  }
})
