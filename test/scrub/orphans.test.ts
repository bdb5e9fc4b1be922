import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteObjectCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { StowageError } from '#domain/errors.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { type StoreKind, startTestServer } from '../kit/server.ts'
import { errorBody, type Operation } from '../store/fault-proxy.ts'
import { openBehindProxy, s3Test } from '../store/s3-fixture.ts'
import { only, runScrub, scrubsOf, tamperWith, upload } from './scrub-run.ts'

for (const kind of ['disk', 's3'] as const satisfies StoreKind[])
  t.test(`on ${kind}`, { skip: kind === 's3' && skipWithoutS3 }, async (t) => {
    t.test('an object and an unfinished upload without a row are told, and stay', async (t) => {
      const server = await startTestServer(t, { store: kind })
      const tampering = tamperWith(t, server)
      await upload(server, 'whole')
      await tampering.write('ab/abcdef', 'nobody knows me')
      await tampering.beginUpload('ab/abc123')
      const before = await server.remains()
      t.same([before.objects.length, before.uploads.length], [2, 1])
      const { counts, lines, exitCode } = await runScrub(server)
      t.same(counts, only({ whole: 1, orphaned: 2 }))
      t.equal(exitCode, 2)
      const finding = 'orphaned'
      t.match(lines, [
        { level: 50, finding, what: 'object', key: 'ab/abcdef', size: 15, storedAt: /^\d{4}-.*Z$/ },
        { level: 50, finding, what: 'unfinished upload', key: 'ab/abc123', storedAt: /^\d{4}-.*Z$/ },
      ])
      if (kind === 's3') t.match(lines[1], { uploadId: /./ })
      t.same(await server.remains(), before)
      t.same(await scrubsOf(server), [only({ whole: 1, orphaned: 2 })])
    })

    t.test('what has a row is no orphan, whatever the row says', async (t) => {
      const server = await startTestServer(t, { store: kind, withWorkers: false })
      const tampering = tamperWith(t, server)
      for (const [n, key] of ['aa/aa0', 'aa/aa1'].entries()) {
        await server.db.execute(sql`
          insert into objects (key, attachment_id, attempt, purge_at)
          values (${key}, ${1000 + n}, 1, ${n === 0 ? null : sql`now()`})`)
        await tampering.write(key, 'bytes')
        await tampering.beginUpload(key)
      }
      const { counts, lines } = await runScrub(server)
      t.same(counts, only({}), 'and what is not Ready is not read')
      t.same(lines, [])
    })

    t.test('what is purged and forgotten between the listing and the question is no orphan', async (t) => {
      const server = await startTestServer(t, { store: kind, withWorkers: false })
      await tamperWith(t, server).write('aa/gone', 'bytes')
      let listings = 0
      const store: ObjectStore = {
        ...server.store,
        async *list(listing, options) {
          for await (const page of server.store.list(listing, options)) {
            if (page.some(({ key }) => key === 'aa/gone')) {
              listings += 1
              await server.store.remove('aa/gone')
            }
            yield page
          }
        },
      }
      t.same((await runScrub(server, { store })).counts, only({}))
      t.equal(listings, 1)
    })

    t.test("the doctor's own is an orphan only when it has lain there for long", async (t) => {
      const server = await startTestServer(t, { store: kind })
      await tamperWith(t, server).write('doctor/abcdef', 'probe')
      t.same((await runScrub(server)).counts, only({}))
      const store: ObjectStore = {
        ...server.store,
        async *list(listing, options) {
          for await (const page of server.store.list(listing, options))
            yield page.map((listed) => ({ ...listed, storedAt: new Date(listed.storedAt.getTime() - 3_601_000) }))
        },
      }
      const { counts, lines } = await runScrub(server, { store })
      t.same(counts, only({ orphaned: 1 }))
      t.match(lines, [{ key: 'doctor/abcdef' }])
    })
  })

t.test('on disk, the age of a file is that of its bytes, and what is no object is told by its path', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const root = join(server.config.dataDir, 'objects')
  const { key } = await upload(server, 'whole')
  await tamperWith(t, server).write('doctor/abcdef', 'probe')
  const hoursAgo = Date.now() / 1000 - 2 * 3600
  await utimes(join(root, 'ab', 'doctor-abcdef'), hoursAgo, hoursAgo)
  await writeFile(join(root, 'ab', key.replaceAll('/', '-')), 'in the wrong folder')
  await mkdir(join(root, 'zz'))
  await writeFile(join(root, 'zz', 'abc.partial'), 'in the wrong folder')
  await writeFile(join(root, 'check-loose'), "the check's own")
  const { counts, lines } = await runScrub(server)
  t.same(counts, only({ whole: 1, orphaned: 3 }))
  t.same(lines.map(({ key }) => key).sort(), [`./ab/${key.replaceAll('/', '-')}`, './zz/abc', 'doctor/abcdef'])
})

t.test('a listing that fails in the middle is told, and everything is read all the same', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  await upload(server, 'whole')
  let failure: Error = new StowageError('storage_unavailable', 'down')
  const store: ObjectStore = {
    ...server.store,
    async *list(listing, options) {
      yield* server.store.list(listing, options)
      if (listing === 'objects') throw failure
    },
  }
  const down = await runScrub(server, { store })
  t.same(down.counts, only({ whole: 1 }))
  t.match(down.lines, [{ level: 50, what: 'object', err: { message: 'down' } }])
  t.equal(down.exitCode, 1)

  failure = new Error('a fault of ours')
  const broken = await runScrub(server, { store })
  t.same(broken.result.interruptedBy, { error: failure })
  t.match(broken.summary, /It had to be broken off: not all orphans were found, and no object was read\.$/)
  t.equal(broken.exitCode, 1)
  t.same(await scrubsOf(server), [])
})

s3Test('Old versions and delete markers without a row are told', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { store, client, bucket } = await openBehindProxy(t)
  const versioned = { Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } } as const
  await client.send(new PutBucketVersioningCommand(versioned))
  const put = (Key: string) => client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'bytes' }))
  await put('ab/hidden')
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'ab/hidden' }))
  await put('ab/twice')
  await put('ab/twice')
  await put('ab/known')
  await put('ab/known')
  await server.db.execute(sql`insert into objects (key, attachment_id, attempt) values ('ab/known', 1, 1)`)
  const { lines, counts } = await runScrub(server, { store })
  t.same(
    lines.map(({ what, key }) => `${what} ${key}`),
    ['object ab/twice', 'old version ab/hidden', 'old version ab/twice'],
  )
  t.same(counts, only({ orphaned: 3 }))
})

s3Test('A listing that the store does not allow or know', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { store, proxy, beginUpload } = await openBehindProxy(t)
  await beginUpload('ab/upload')
  const refuse = (status: number, code: string, ...operations: Operation[]) => {
    proxy.fault = (exchange) =>
      operations.includes(exchange.operation) ? exchange.answer(status, errorBody(code)) : exchange.pass()
  }
  for (const [status, code] of [
    [403, 'AccessDenied'],
    [501, 'NotImplemented'],
  ] as const) {
    refuse(status, code, 'ListMultipartUploads', 'ListObjectVersions')
    const { lines, exitCode, counts } = await runScrub(server, { store })
    t.same(counts, only({}))
    t.equal(exitCode, 0, 'uploads and versions: the scrub does without')
    t.match(lines, [
      { level: 40, what: 'old version', err: { code: 'forbidden', message: /s3:ListBucketVersions/ } },
      { level: 40, what: 'unfinished upload', err: { code: 'forbidden', message: /s3:ListBucketMultipartUploads/ } },
    ])
  }

  refuse(403, 'AccessDenied', 'other')
  const denied = await runScrub(server, { store })
  t.same(denied.counts, only({ orphaned: 1 }), 'the rest is listed')
  t.match(denied.lines, [{ level: 50, what: 'object', err: { message: /s3:ListBucket/ } }, { finding: 'orphaned' }])
  t.equal(denied.exitCode, 2, 'what was found weighs more')

  refuse(403, 'AccessDenied', 'other', 'ListMultipartUploads')
  const nothing = await runScrub(server, { store })
  t.equal(nothing.exitCode, 1)
  t.match(nothing.summary, /The store could not be listed/)
  t.equal((await scrubsOf(server)).length, 2, 'not written down as a scrub')
})

s3Test('A part of a listing does not look like all of it', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const { store, proxy } = await openBehindProxy(t)
  const truncated = '<ListBucketResult><IsTruncated>true</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>'
  proxy.fault = (exchange) => (exchange.operation === 'other' ? exchange.answer(200, truncated) : exchange.pass())
  const { result } = await runScrub(server, { store })
  t.equal(result.findings.unlisted, 1)
})
