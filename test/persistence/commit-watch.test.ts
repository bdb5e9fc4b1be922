import { sql } from 'drizzle-orm'
import t from 'tap'
import { openDatabase } from '#persistence/connection/client.ts'
import { isWrite } from '#persistence/connection/commit-watch.ts'
import { createTestDatabase } from '../kit/database.ts'
import { until } from '../kit/until.ts'

t.test('which statements write', async (t) => {
  const writes = [
    'insert into "tokens" values ($1)',
    'UPDATE sessions SET revoked_at = now()',
    'with gone as (delete from members returning 1) select * from gone',
    'with seen as (select 1), moved as (\n update attachments a set state = $1 returning a.*\n) select * from moved',
  ]
  for (const statement of writes) t.equal(isWrite(statement), true, statement)
  const reads = ['select "deleted_at", updated from rooms', 'select 1', 'with page as (select 1) select * from page']
  for (const statement of reads) t.equal(isWrite(statement), false, statement)
})

t.test('a write that is merely slow is left alone', async (t) => {
  const url = await createTestDatabase(t)
  const [client, other] = [openDatabase(url, 2), openDatabase(url, 2)]
  t.teardown(() => Promise.all([client.close(), other.close()]))
  const connections = async () => {
    const rows = await other.db.execute(sql`
      select from pg_stat_activity where datname = current_database() and application_name = 'stowage'`)
    return rows.length
  }
  await client.db.execute(sql`create table counts (n integer)`)
  await client.db.execute(sql`insert into counts values (0)`)
  let slow: Promise<unknown> = Promise.resolve()
  let looked = 0
  await other.db.transaction(async (holding) => {
    await holding.execute(sql`select from counts for update`)
    // It begins when it is asked for its result.
    slow = client.db.execute(sql`update counts set n = n + 1`).then()
    await t.resolves(client.db.execute(sql`insert into counts values (10)`), 'another one is done meanwhile')
    const end = performance.now() + 6_000
    await until('it has been looked into', async () => {
      looked = Math.max(looked, await connections())
      return performance.now() > end
    })
    await t.resolves(client.db.execute(sql`insert into counts values (100)`), 'and once it has been looked into')
    await t.resolves(client.ping())
  })
  await t.resolves(slow)
  const [row] = await client.db.execute<{ sum: string }>(sql`select sum(n) from counts`)
  t.equal(Number(row?.sum), 111)
  t.equal(looked, 5, 'two connections each, and one to look')
  await until('that one is closed', async () => (await connections()) === 4)
})
