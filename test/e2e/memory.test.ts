import { randomBytes } from 'node:crypto'
import t from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import type { Serving } from '../kit/serving.ts'
import { beginForm } from '../kit/slow-upload.ts'
import { peakOf, skipWithoutPeaks } from './process-memory.ts'
import { startServingOnS3 } from './serving-on-s3.ts'

const mebibyte = 2 ** 20

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

t.test('memory does not grow with the size of a file', { skip: skipWithoutS3 || skipWithoutPeaks }, async (t) => {
  const serving = await startServingOnS3(t)
  const { cookie } = serving
  const peaks: number[] = []
  for (const size of [64, 1024]) {
    const id = await uploadMebibytes(serving, cookie, size)
    t.equal(await downloadedBytes(serving, cookie, id), size * mebibyte)
    peaks.push((await peakOf(serving)) / mebibyte)
  }
  const [small = Number.NaN, large = Number.NaN] = peaks
  t.comment(`peak after 64 MiB: ${small.toFixed()} MiB, after 1 GiB: ${large.toFixed()} MiB`)
  t.ok(large < 320, `${large.toFixed()} MiB at the most`)
  t.ok(large - small < 96, `${(large - small).toFixed()} MiB more for sixteen times the bytes`)
})
