import t from 'tap'
import { skipWithoutS3 } from '../../kit/bucket.ts'
import { filePart, formOf } from '../../kit/multipart.ts'
import { startTestServer } from '../../kit/server.ts'
import { bearerApi, cookieApi } from '../../kit/surfaces.ts'
import { isRefused } from './refusals.ts'
import { takesUploads, uploadFailed } from './remains.ts'

const files = (surface: typeof cookieApi, count: number) => Array.from({ length: count }, () => filePart(surface))

for (const store of ['s3', 'disk'] as const) {
  t.test(`too many files on ${store}`, { skip: store === 's3' && skipWithoutS3 }, async (t) => {
    const server = await startTestServer(t, { store, env: { MAX_CONCURRENT_UPLOADS: '1', MAX_FILES_PER_REQUEST: '3' } })
    const tooMany = { state: uploadFailed, failureReason: /More than 3 files/ }
    await t.test('cookie API: one more than allowed, and those before it fail with it', async (t) => {
      await isRefused(t, server, cookieApi, {
        what: 'four files',
        request: (surface) => formOf(...files(surface, 4)),
        status: 413,
        text: /More than 3 files.*several requests/,
        leaves: [tooMany, tooMany, tooMany],
      })
    })
    await t.test('bearer API: more than one', async (t) => {
      await isRefused(t, server, bearerApi, {
        what: 'two files',
        request: (surface) => formOf(...files(surface, 2)),
        status: 400,
        text: /more than one file/,
        leaves: [{ state: uploadFailed, failureReason: /more than one file/ }],
      })
    })
    await takesUploads(t, server, cookieApi)
    await takesUploads(t, server, bearerApi)
  })
}
