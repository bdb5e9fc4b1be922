import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { type Database, openDatabase } from '#persistence/connection/client.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'
import { createTestDatabase } from '../kit/database.ts'
import { openTcpLine, type TcpLine } from '../kit/tcp-line.ts'
import { until } from '../kit/until.ts'

/** A pool whose way to the database can be cut, and another that it shares no connection with. */
async function openBoth(t: Test, max: number, limit?: number) {
  const databaseUrl = await createTestDatabase(t)
  const line = await openTcpLine(t, databaseUrl)
  const client = openDatabase(line.url, max, limit)
  const other = openDatabase(databaseUrl, 2)
  t.teardown(() => Promise.all([client.close(0), other.close()]))
  return { ...client, client, line, other: other.db }
}

async function one(db: Pick<Database, 'execute'>): Promise<number> {
  const [row] = await db.execute<{ one: number }>(sql`select ${1}::integer as one`)
  return row?.one ?? Number.NaN
}

async function sleep(db: Database, seconds: number): Promise<void> {
  await db.execute(sql.raw(`select pg_sleep(${seconds})`))
}

/** How many sockets of ours lead into the line. A line that is frozen does not hear of their end. */
function ownSockets(line: TcpLine): number {
  const all = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap')
  return all.length - 2 * line.open
}

async function isRunning(other: Database, text: string): Promise<boolean> {
  const rows = await other.execute(sql`
    select from pg_stat_activity where query like ${`%${text}%`} and state = 'active' and pid <> pg_backend_pid()`)
  return rows.length > 0
}

/** Why the database said no; `undefined` when it did not, or for another reason. */
async function refusalOf(asking: Promise<unknown>): Promise<{ code: string | undefined; waited: number }> {
  const askedAt = performance.now()
  const error = await asking.then(
    () => undefined,
    (error) => error,
  )
  const code = isDatabaseUnavailable(error) ? (error.cause?.code ?? error.code) : undefined
  return { code, waited: performance.now() - askedAt }
}

/** @returns after how many milliseconds */
async function isRefused(t: Test, asking: Promise<unknown>, reason: string | RegExp, what: string): Promise<number> {
  const { code, waited } = await refusalOf(asking)
  t.match(code, reason, what)
  return waited
}

t.test('a question without an answer ends its connection, and the next one has another', async (t) => {
  const { db, line } = await openBoth(t, 1, 500)
  t.equal(await one(db), 1)
  line.freeze()
  const waited = await isRefused(t, one(db), 'NO_ANSWER', 'silent')
  t.ok(waited >= 490 && waited < 2000, `${waited} ms`)
  await until('its socket is gone', () => ownSockets(line) === 0)
  line.mend()
  t.equal(await one(db), 1)
})

t.test('the deadline counts the wait for a connection', async (t) => {
  const { db, line } = await openBoth(t, 1, 1000)
  const long = sleep(db, 0.7)
  const [waited] = await Promise.all([isRefused(t, sleep(db, 0.7), 'NO_ANSWER', 'asked meanwhile'), long])
  t.ok(waited < 1600, `${waited} ms`)
  t.equal(await one(db), 1)
  t.equal(line.taken, 2, 'on a connection of its own')
  const end = performance.now() + 1500
  const holding = db.transaction(() => until('the time is over', () => performance.now() > end))
  await isRefused(t, one(db), 'NO_CONNECTION', 'while somebody holds it')
  await holding
  t.equal(await one(db), 1)
})

t.test('a statement that Postgres ends itself costs no connection', async (t) => {
  const { db, line } = await openBoth(t, 1)
  const [row] = await db.execute(sql`
    select current_setting('statement_timeout') as statement,
      current_setting('idle_in_transaction_session_timeout') as idle`)
  t.same(row, { statement: '14s', idle: '30s' })
  await db.execute(sql`set statement_timeout = 100`)
  await isRefused(t, sleep(db, 5), '57014', 'slow')
  await t.rejects(db.execute(sql`select 1 / 0`), { cause: { code: '22012' } })
  t.equal(await one(db), 1)
  t.equal(line.taken, 1)
})

t.test('what the URL sets itself stays', async (t) => {
  const url = await createTestDatabase(t)
  const { db, close } = openDatabase(`${url}?statement_timeout=1234`, 1)
  t.teardown(() => close())
  const [row] = await db.execute(sql`select current_setting('statement_timeout') as statement`)
  t.same(row, { statement: '1234ms' })
})

t.test('refused: everybody is told at once, and few try', async (t) => {
  const { db, line } = await openBoth(t, 10)
  t.equal(await one(db), 1)
  for (const [state, code] of [
    ['refuse', /^(ECONNRESET|CONNECTION_LOST)$/],
    ['close', /^CONNECTION_LOST$/],
  ] as const) {
    line[state]()
    await until('connections are gone', () => line.open === 0)
    const [before, startedAt] = [line.taken, performance.now()]
    const refusals: Awaited<ReturnType<typeof refusalOf>>[] = []
    while (performance.now() - startedAt < 2000)
      refusals.push(...(await Promise.all(Array.from({ length: 50 }, () => refusalOf(one(db))))))
    t.ok(refusals.length > 500, `${state}: ${refusals.length} refusals`)
    t.ok(refusals.every((refusal) => code.test(String(refusal.code))))
    const longest = Math.max(...refusals.map(({ waited }) => waited))
    t.ok(longest < 500, `${state}: the longest took ${longest} ms`)
    const tried = line.taken - before
    t.ok(tried > 1 && tried <= 10 + 10, `${state}: ${tried} connections were tried`)
    line.mend()
    await until('it is back', () => one(db).catch(() => 0), 1)
  }
})

t.test('silent while connecting: refused in time, and back soon after it speaks again', async (t) => {
  const { db, line } = await openBoth(t, 3)
  line.freeze()
  const waits = await Promise.all([1, 2, 3, 4, 5].map(() => isRefused(t, one(db), 'CONNECT_TIMEOUT', 'silent')))
  t.ok(Math.max(...waits) < 6000)
  t.ok((await isRefused(t, one(db), 'CONNECT_TIMEOUT', 'just afterwards')) < 200)
  t.equal(line.taken, 3)
  line.mend()
  await until('it is back', () => one(db).catch(() => 0), 5)
})

t.test('reset again and again under load: an answer is right, or none', async (t) => {
  const { db, line } = await openBoth(t, 5)
  let resets = 0
  let [right, lost] = [0, 0]
  const wrong: unknown[] = []
  const ask = async (number: number) => {
    const rows = await db.execute<{ number: number }>(sql`select ${number}::integer as number`).catch((error) => {
      if (!isDatabaseUnavailable(error)) wrong.push(error)
      return undefined
    })
    if (rows === undefined) lost += 1
    else if (rows.length === 1 && rows[0]?.number === number) right += 1
    else wrong.push(rows)
  }
  const clients = Array.from({ length: 30 }, async (_, client) => {
    for (let number = client; resets < 40; number += 30) await ask(number)
  })
  for (; resets < 40; resets += 1) {
    const before = right
    await until('answers come', () => right > before + 50)
    line[resets % 2 === 0 ? 'reset' : 'finish']()
  }
  await Promise.all(clients)
  t.strictSame(wrong, [])
  t.ok(right > 2000, `${right} right answers`)
  t.ok(lost > 40, `${lost} lost ones`)
})

t.test('transactions', async (t) => {
  const { db, line, other } = await openBoth(t, 1, 1000)
  await db.execute(sql`create table kept (name text)`)
  const put = (db: Pick<Database, 'execute'>, name: string) => db.execute(sql`insert into kept values (${name})`)
  const kept = async () => (await other.execute<{ name: string }>(sql`select name from kept`)).map(({ name }) => name)

  await t.test('kept, or taken back', async (t) => {
    t.equal(
      await db.transaction(async (transaction) => {
        await Promise.all([put(transaction, 'a'), put(transaction, 'b')])
        t.strictSame(await kept(), [], 'not before its end')
        return 'done'
      }),
      'done',
    )
    const failure = new Error('no')
    const failing = db.transaction(async (transaction) => {
      await put(transaction, 'c')
      throw failure
    })
    await t.rejects(failing, failure)
    t.strictSame((await kept()).sort(), ['a', 'b'])
  })

  await t.test('one in another', async (t) => {
    await db.transaction(async (outer) => {
      await put(outer, 'd')
      await outer.transaction((inner) => put(inner, 'e'))
      await t.rejects(outer.transaction((inner) => inner.execute(sql`insert into nothing values (1)`)))
      await put(outer, 'f')
    })
    t.strictSame((await kept()).sort(), ['a', 'b', 'd', 'e', 'f'])
  })

  await t.test('a statement without an answer ends it, and so does a lost connection', async (t) => {
    const silent = db.transaction(async (transaction) => {
      await put(transaction, 'g')
      line.freeze()
      await put(transaction, 'h')
    })
    await isRefused(t, silent, 'NO_ANSWER', 'silent')
    line.mend()
    const broken = db.transaction(async (transaction) => {
      await put(transaction, 'i')
      line.reset()
      await put(transaction, 'j')
    })
    await isRefused(t, broken, /ECONNRESET|CONNECTION_LOST/, 'reset')
    t.strictSame((await kept()).sort(), ['a', 'b', 'd', 'e', 'f'])
    t.equal(await one(db), 1)
  })

  await t.test('a commit that waits for a standby which is away', async (t) => {
    const end = db.transaction(async (transaction) => {
      await put(transaction, 'k')
      line.freeze()
    })
    await isRefused(t, end, 'NO_ANSWER', 'silent')
    line.mend()
    t.equal(await one(db), 1)
  })
})

t.test('a database that takes no writes any more, on connections of before', async (t) => {
  const { client, db, line, other } = await openBoth(t, 3)
  await other.execute(sql`create table kept (name text)`)
  const readOnly = sql`select set_config('default_transaction_read_only', 'on', false), pg_sleep(0.2)`
  const failOver = async () => {
    await Promise.all([1, 2, 3].map(() => db.execute(readOnly)))
    t.equal(line.open, 3)
    const now = performance.now()
    await until('they are no longer so new that they are spared', () => performance.now() > now + 1000)
  }
  await failOver()
  await isRefused(t, client.ping(), '25006', 'a ping')
  await until('they are ended', () => line.open === 0)
  await client.ping()
  await failOver()
  await isRefused(t, db.execute(sql`insert into kept values ('a')`), '25006', 'a write')
  await db.execute(sql`insert into kept values ('b')`)
})

t.test('Postgres ends every connection', async (t) => {
  const { db, other } = await openBoth(t, 3)
  await Promise.all([1, 2, 3].map(() => sleep(db, 0.1)))
  const running = sleep(db, 10)
  const end = sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`
  const ended = isRefused(t, running, /57P01|CONNECTION_LOST|ECONNRESET/, 'ended')
  await until('it runs', () => isRunning(other, 'pg_sleep(10)'))
  await other.execute(end).catch(() => {})
  await ended
  await until('it is back', () => one(db).catch(() => 0), 5)
})

t.test('closing ends what is under way in time, and leaves no socket', async (t) => {
  const { client, db, line, other } = await openBoth(t, 3)
  await Promise.all([1, 2].map(() => sleep(db, 0.1)))
  const short = sleep(db, 0.3)
  await until('it runs', () => isRunning(other, 'pg_sleep(0.3)'))
  const closing = client.close(2000)
  await isRefused(t, one(db), 'CLOSED', 'afterwards')
  await short
  await closing
  await until('nothing is left', () => line.open === 0)
  t.pass()
})

t.test('closing while it is silent', async (t) => {
  const { client, db, line } = await openBoth(t, 3)
  await Promise.all([1, 2].map(() => sleep(db, 0.1)))
  line.freeze()
  const [hung, connecting] = [one(db), db.transaction(one)]
  const told = Promise.all([isRefused(t, hung, 'CLOSED', 'hung'), isRefused(t, connecting, 'CLOSED', 'connecting')])
  const askedAt = performance.now()
  await client.close(500)
  t.ok(performance.now() - askedAt < 2000)
  await told
  await until('nothing is left', () => ownSockets(line) === 0)
})
