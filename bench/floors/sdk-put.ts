/** Pipes a raw body of known length into one PutObject of the SDK: no hash, no checksum, nothing held. */
import { randomUUID } from 'node:crypto'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { answer } from './answer.ts'
import { bucket, connection } from './s3.ts'

const client = new S3Client({
  ...connection,
  requestChecksumCalculation: 'WHEN_REQUIRED',
  // With this header the handler opens a connection for each request instead of keeping its connections.
  expectContinueHeader: false,
  requestHandler: { httpAgent: { keepAlive: true, maxSockets: 512 } },
})

answer(async (request) => {
  const ContentLength = Number(request.headers['content-length'])
  // The SDK leaves the payload of a stream unsigned.
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: randomUUID(), Body: request, ContentLength }))
  return {}
})
