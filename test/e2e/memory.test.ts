import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import t from 'tap'
import { program } from '../commands/stowage.ts'
import { createTestBucket, skipWithoutS3 } from '../support/bucket.ts'
import { createTestDatabase } from '../support/database.ts'
import { beginForm } from '../support/slow-form.ts'
import { demoPrinted, printedCredentials, type Serving, startServing } from './serving.ts'

const mebibyte = 2 ** 20
/** As `npm start` runs it. */
const command = [process.execPath, '--max-semi-space-size=2', program, 'serve']

/** Most memory the process has ever held, in MiB. Linux alone tells. */
async function peakOf({ pid }: Serving): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

/** Uploads a file of so many MiB. @returns its id */
async function uploadMebibytes({ url }: Serving, cookie: string, count: number): Promise<number> {
  const form = beginForm(url, '/api/v1/messages/1/attachments', 'files', { cookie })
  const chunk = randomBytes(mebibyte)
  for (let sent = 0; sent < count; sent += 1) await form.send(chunk)
  const { body } = await form.finish()
  return Number(/"attachmentIds":\[(\d+)\]/.exec(body)?.[1])
}

/** Downloads it and throws it away. @returns how many bytes came */
async function downloadedBytes({ url }: Serving, cookie: string, id: number): Promise<number> {
  const response = await fetch(`${url}/api/v1/attachments/${id}/slow.bin`, { headers: { cookie } })
  let bytes = 0
  for await (const chunk of response.body ?? []) bytes += chunk.length
  return bytes
}

const skip = skipWithoutS3 || (!existsSync('/proc/self/status') && 'needs /proc')

t.test('memory does not grow with the size of a file', { skip }, async (t) => {
  const { bucket, endpoint, region, accessKeyId, secretAccessKey } = await createTestBucket(t)
  const env = {
    DATABASE_URL: await createTestDatabase(t),
    S3_BUCKET: bucket,
    S3_ENDPOINT: endpoint,
    S3_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    DEMO: 'true',
  }
  const serving = await startServing(t, env, { command })
  await demoPrinted(serving)
  const { cookie } = printedCredentials(serving)
  const peaks: number[] = []
  for (const size of [64, 1024]) {
    const id = await uploadMebibytes(serving, cookie, size)
    t.equal(await downloadedBytes(serving, cookie, id), size * mebibyte)
    peaks.push(await peakOf(serving))
  }
  const [small = Number.NaN, large = Number.NaN] = peaks
  t.comment(`peak after 64 MiB: ${small.toFixed()} MiB, after 1 GiB: ${large.toFixed()} MiB`)
  t.ok(large < 320, `${large.toFixed()} MiB at the most`)
  t.ok(large - small < 96, `${(large - small).toFixed()} MiB more for sixteen times the bytes`)
})
