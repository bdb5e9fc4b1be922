import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { type StoreKind, startTestServer } from '../kit/server.ts'
import { bytesOf } from '../store/bodies.ts'
import { noted, only, runScrub, scrubsOf, tamperWith, upload } from './scrub-run.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

for (const kind of ['disk', 's3'] as const satisfies StoreKind[])
  t.test(`on ${kind}`, { skip: kind === 's3' && skipWithoutS3 }, async (t) => {
    t.test('what is whole is told to be whole, and nothing is written to the store', async (t) => {
      const server = await startTestServer(t, { store: kind })
      const files = [await upload(server, bytesOf(6_000_000)), await upload(server, ''), await upload(server, 'x')]
      const before = await server.remains()
      const { counts, lines, exitCode, result, summary } = await runScrub(server)
      t.same(counts, only({ whole: 3 }))
      t.same(lines, [])
      t.equal(exitCode, 0)
      t.equal(result.findings.bytes, 6_000_001)
      t.match(summary, /^Scrub: 3 whole, 0 damaged, 0 missing, 0 orphaned; 5\.7 MiB read in \d s\.$/)
      for (const file of files) t.same(await noted(server, file), { damage: null, read: true })
      t.same(await scrubsOf(server), [only({ whole: 3 })])
      t.same(await server.remains(), before)
    })

    const bytes = bytesOf(300_000)
    const flipped = Buffer.from(bytes)
    flipped[200_000] = (flipped[200_000] as number) ^ 1
    for (const [what, stored, damage] of [
      ['a flipped bit', flipped, `The object's sha256 is ${sha256(flipped)} instead of ${sha256(bytes)}.`],
      ['a truncated object', bytes.subarray(1), 'The object has 299999 bytes instead of 300000.'],
      ['an emptied object', Buffer.alloc(0), 'The object has 0 bytes instead of 300000.'],
      ['a grown object', Buffer.concat([bytes, Buffer.alloc(1)]), 'The object has 300001 bytes instead of 300000.'],
    ] as const)
      t.test(`${what} is damage until it is healed`, async (t) => {
        const server = await startTestServer(t, { store: kind })
        const tampering = tamperWith(t, server)
        await upload(server, 'whole')
        const file = await upload(server, bytes)
        await tampering.write(file.key, stored)
        const before = await server.remains()
        const { counts, lines, exitCode } = await runScrub(server)
        t.same(counts, only({ whole: 1, damaged: 1 }))
        t.equal(exitCode, 2)
        t.equal(lines.length, 1)
        t.match(lines[0], {
          ...{ level: 50, finding: 'damaged', key: file.key, attachmentId: file.id, algorithm: 'sha256' },
          expected: { size: 300_000, digest: sha256(bytes) },
          found: { size: stored.length, digest: sha256(Buffer.from(stored)) },
        })
        t.notMatch(JSON.stringify(lines), /secret name/, 'file names are not logged')
        t.same(await noted(server, file), { damage, read: true })
        t.same(await server.remains(), before, 'nothing is repaired, nothing removed')
        t.same(await server.states(), { ReadyForDownloadFromServerToClient: 2 })

        await tampering.write(file.key, bytes)
        const healed = await runScrub(server)
        t.same(healed.counts, only({ whole: 2 }))
        t.same(await noted(server, file), { damage: null, read: true })
        t.same(await scrubsOf(server), [only({ whole: 1, damaged: 1 }), only({ whole: 2 })])
      })

    t.test('a missing object', async (t) => {
      const server = await startTestServer(t, { store: kind })
      const file = await upload(server, bytes)
      await server.store.remove(file.key)
      const { counts, lines, exitCode } = await runScrub(server)
      t.same(counts, only({ missing: 1 }))
      t.equal(exitCode, 2)
      const expected = { size: 300_000, digest: sha256(bytes) }
      t.match(lines, [{ level: 50, finding: 'missing', key: file.key, attachmentId: file.id, expected }])
      t.same(await noted(server, file), { damage: 'There is no object.', read: true })

      await tamperWith(t, server).write(file.key, bytes)
      t.same((await runScrub(server)).counts, only({ whole: 1 }))
      t.same(await noted(server, file), { damage: null, read: true })
    })

    t.test('a Ready attachment whose key is not known is missing; one that failed or was deleted is not', async (t) => {
      const server = await startTestServer(t, { store: kind, withWorkers: false })
      const [lost, failed, deleted] = [
        await upload(server, bytes),
        await upload(server, bytes),
        await upload(server, bytes),
      ]
      await upload(server, bytes)
      await server.db.execute(
        sql`update attachments set state = 'UploadFromClientToServerFailed' where id = ${failed.id}`,
      )
      await server.db.execute(sql`update attachments set deleted_at = now() where id = ${deleted.id}`)
      for (const { id, key } of [lost, failed, deleted]) {
        await server.store.remove(key)
        await server.db.execute(sql`delete from objects where attachment_id = ${id}`)
      }
      const { counts, lines, exitCode } = await runScrub(server)
      t.same(counts, only({ whole: 1, missing: 1 }))
      t.equal(exitCode, 2)
      t.match(lines, [{ level: 50, finding: 'missing', attachmentId: lost.id, msg: /key/ }])
    })

    t.test('each attachment is compared by its own algorithm', async (t) => {
      const server = await startTestServer(t, { store: kind, env: { CHECKSUM_ALGORITHM: 'md5' } })
      const file = await upload(server, 'abcd')
      t.same((await runScrub(server)).counts, only({ whole: 1 }))
      await tamperWith(t, server).write(file.key, 'abce')
      const { lines } = await runScrub(server)
      const digest = createHash('md5').update('abce').digest('hex')
      t.match(lines, [{ algorithm: 'md5', found: { size: 4, digest } }])
    })
  })
