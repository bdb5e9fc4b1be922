/** Pipes GetObject of the SDK into the answer. */

import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { answer } from './answer.ts'
import { bucket, connection } from './s3.ts'

const client = new S3Client({
  ...connection,
  responseChecksumValidation: 'WHEN_REQUIRED',
  requestHandler: { httpAgent: { keepAlive: true, maxSockets: 512 } },
})

answer(async ({ url = '' }, response) => {
  const { Body, ContentLength } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: url.slice(1) }))
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': ContentLength })
  await pipeline(Body as Readable, response)
  return undefined
})
