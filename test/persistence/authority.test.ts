import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { createSession, createToken, revokeSession, revokeToken } from '#auth/credentials.ts'
import type { Credential } from '#domain/principal.ts'
import { insertIntent } from '#persistence/attempts.ts'
import { type Database, openDatabase } from '#persistence/connection/client.ts'
import type { Attachment } from '#persistence/schema.ts'
import { type TransitionOptions, transition } from '#persistence/transitions.ts'
import { deleteMember, putRoom } from '#rooms/rooms.ts'
import { startTestServer, type TestServer } from '../kit/server.ts'
import { until } from '../kit/until.ts'

const ready: TransitionOptions = {
  from: 'UploadFromClientToServerInProgress',
  via: { state: 'ChecksumVerificationOnServerSideInProgress', reason: 'on the way' },
  to: 'ReadyForDownloadFromServerToClient',
  reason: 'a test',
  actor: 'user:2',
}

/** A way to take from user 2 the right to put files into room 1. */
interface Ending {
  name: string
  refusal: string
  credential(db: Database): Promise<Credential | undefined>
  end(db: Database, credential: Credential | undefined): Promise<unknown>
}

const scopes = ['write'] as const
const newToken = (db: Database) => createToken(db, { userId: 2, scopes, expiresAt: null })
const idOf = (credential: Credential | undefined) => ({ id: (credential as Credential).id })

const endings: Ending[] = [
  {
    name: 'the token is revoked',
    refusal: 'CredentialEnded',
    credential: async (db) => ({ kind: 'token', id: (await newToken(db)).id }),
    end: (db, credential) => revokeToken(db, idOf(credential)),
  },
  {
    name: 'the session is revoked',
    refusal: 'CredentialEnded',
    credential: async (db) => ({ kind: 'session', id: (await createSession(db, { userId: 2, scopes })).id }),
    end: (db, credential) => revokeSession(db, idOf(credential)),
  },
  {
    name: 'the token of the session is revoked',
    refusal: 'CredentialEnded',
    async credential(db) {
      const { id: tokenId } = await newToken(db)
      return { kind: 'session', id: (await createSession(db, { userId: 2, scopes, tokenId })).id }
    },
    async end(db, credential) {
      const [row] = await db.execute<{ token_id: string }>(sql`
        select token_id from sessions where id = ${idOf(credential).id}`)
      return revokeToken(db, { id: Number(row?.token_id) })
    },
  },
  {
    name: 'the uploader is taken out of the room',
    refusal: 'DestinationGone',
    credential: async () => undefined,
    end: (db) => deleteMember(db, 1, 2),
  },
  {
    name: 'the room is put without the uploader',
    refusal: 'DestinationGone',
    credential: async () => undefined,
    end: (db) => putRoom(db, 1, { memberIds: [1, 3], moderatorIds: [] }),
  },
]

let keys = 0
async function uploading(db: Database) {
  keys += 1
  const attachment = await insertIntent(db, {
    ...{ messageId: 1, uploaderId: 2, fileName: 'a.txt', contentType: 'text/plain', checksumAlgorithm: 'sha256' },
    ...{ objectKey: `aa/${keys}`, leaseSeconds: 60, requestId: 'first', reason: 'a test', actor: 'user:2' },
  })
  const { id, attempt } = attachment as Attachment
  return { id, attempt, fileSize: 3, fileChecksum: 'abc' }
}

/** Two ways to one database, one of which holds a transaction open, and an upload that is to become Ready. */
async function startRace(t: Test, server: TestServer, { credential }: Ending) {
  const other = openDatabase(server.databaseUrl, 1)
  t.teardown(() => other.close())
  await putRoom(server.db, 1, { memberIds: [1, 2, 3], moderatorIds: [1] })
  return { other: other.db, file: await uploading(server.db), credential: await credential(server.db) }
}

/** Whether work that has begun waits for another transaction: `false` once it has ended. */
async function waits({ db }: TestServer, work: Promise<unknown>): Promise<boolean> {
  let hasEnded = false
  const end = () => {
    hasEnded = true
  }
  work.then(end, end)
  let isWaiting = false
  await until('it waits or has ended', async () => {
    const rows = await db.execute(sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
    isWaiting = rows.length > 0
    return isWaiting || hasEnded
  })
  return isWaiting
}

t.test('who may publish', async (t) => {
  const server = await startTestServer(t, { store: 'disk', withWorkers: false })
  const { db } = server
  for (const ending of endings) {
    t.test(`${ending.name} while the file becomes Ready: it does not`, async (t) => {
      const { other, file, credential } = await startRace(t, server, ending)
      let published: Promise<unknown> = Promise.resolve()
      await other.transaction(async (transaction) => {
        await ending.end(transaction, credential)
        published = transition(db, [file], { ...ready, credential })
        t.equal(await waits(server, published), true, 'it waits')
      })
      await t.rejects(published, { name: ending.refusal })
      const [row] = await db.execute(sql`select state, ready_position from attachments where id = ${file.id}`)
      t.match(row, { state: ready.from, ready_position: null })
    })

    t.test(`${ending.name} after the file has become Ready: not answered before`, async (t) => {
      const { other, file, credential } = await startRace(t, server, ending)
      let ended: Promise<unknown> = Promise.resolve()
      await other.transaction(async (transaction) => {
        await transition(transaction, [file], { ...ready, credential })
        ended = ending.end(db, credential)
        t.equal(await waits(server, ended), true, 'it waits')
      })
      await t.resolves(ended, 'then it is done')
    })
  }
})
