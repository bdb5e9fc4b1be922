import { sql } from 'drizzle-orm'
import t from 'tap'
import { openDatabase } from '#persistence/connection/client.ts'
import { createTestDatabase } from '../kit/database.ts'

/** How many statements the connection keeps after it has run one. */
async function keptStatements(url: string): Promise<number> {
  const { db, close } = openDatabase(url, 1)
  try {
    await db.execute(sql`select ${1}::integer`)
    const [row] = await db.execute<{ kept: string }>(sql`
      select count(*) as kept from pg_prepared_statements where statement like 'select $1::integer%'`)
    return Number(row?.kept)
  } finally {
    await close()
  }
}

t.test('statements are prepared, unless the URL says otherwise', async (t) => {
  const url = await createTestDatabase(t)
  t.equal(await keptStatements(url), 1)
  t.equal(await keptStatements(`${url}?prepare=false`), 0, 'for poolers that cannot keep statements')
})
