import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { openDatabase } from '#persistence/connection/client.ts'
import { createTestDatabase } from '../kit/database.ts'
import { selfSigned, skipWithoutOpenSsl } from '../kit/self-signed.ts'

const skip = skipWithoutOpenSsl

/** Speaks TLS as Postgres does, asked for it with eight bytes, and passes on what it hears. */
async function startTlsFront(t: Test, databaseUrl: string, answer: 'S' | 'N') {
  const { hostname, port } = new URL(databaseUrl)
  const certificate = selfSigned('DNS:localhost')
  const sockets = new Set<Socket>()
  const secured = { count: 0 }
  const server = createServer((near) => {
    sockets.add(near.on('error', () => {}))
    near.once('data', (request) => {
      const far = connect(Number(port), hostname).on('error', () => near.destroy())
      if (request.readUInt32BE(4) !== 80877103) {
        far.write(request)
        return near.pipe(far).pipe(near)
      }
      near.write(answer)
      if (answer === 'N') return near.pipe(far).pipe(near)
      const secure = new TLSSocket(near, { isServer: true, ...certificate }).on('error', () => far.destroy())
      secure.once('secure', () => {
        secured.count += 1
      })
      return secure.pipe(far).pipe(secure)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const ownPort = (server.address() as AddressInfo).port
  const url = Object.assign(new URL(databaseUrl), { host: `localhost:${ownPort}` }).href
  return { url, secured, sockets }
}

async function ask(t: Test, url: string): Promise<unknown> {
  const { db, close } = openDatabase(url, 1)
  t.teardown(() => close(0))
  const [row] = await db.execute(sql`select ${1}::integer as one`)
  return row?.one
}

t.test('a server with TLS', { skip }, async (t) => {
  const { url, secured, sockets } = await startTlsFront(t, await createTestDatabase(t), 'S')
  t.equal(await ask(t, `${url}?sslmode=require`), 1)
  t.equal(await ask(t, `${url}?sslmode=prefer`), 1)
  t.equal(secured.count, 2)
  t.equal(await ask(t, url), 1, 'not asked for')
  t.equal(secured.count, 2)
  const unknown = ask(t, `${url}?sslmode=verify-full`)
  await t.rejects(unknown, { cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } }, 'whom nobody vouches for')

  const { db, close } = openDatabase(`${url}?sslmode=require`, 1)
  t.teardown(() => close())
  await db.execute(sql`select 1`)
  for (const socket of sockets) socket.resetAndDestroy()
  const lost = await db.execute(sql`select 1`).catch((error) => error)
  if (lost instanceof Error) t.match(lost.cause, { name: 'DatabaseUnavailable' })
  t.equal((await db.execute(sql`select ${2}::integer as two`))[0]?.two, 2, 'and connects again')
})

t.test('a server without TLS', { skip }, async (t) => {
  const { url } = await startTlsFront(t, await createTestDatabase(t), 'N')
  await t.rejects(ask(t, `${url}?sslmode=require`), { cause: { message: /offers no TLS/ } })
  t.equal(await ask(t, `${url}?sslmode=prefer`), 1)
})
