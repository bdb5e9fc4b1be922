/** What is usually built: Fastify, @fastify/multipart, the SDK's Upload with its defaults, hashed on the way. */
import { createHash, randomUUID } from 'node:crypto'
import { pipeline, Transform } from 'node:stream'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import multipart from '@fastify/multipart'
import fastify from 'fastify'
import { bucket, connection } from './s3.ts'

const client = new S3Client(connection)
const app = fastify({ logger: true, bodyLimit: Number.MAX_SAFE_INTEGER })
await app.register(multipart, { limits: { fileSize: Number.POSITIVE_INFINITY } })

app.post('/', async (request) => {
  const part = await request.file()
  if (part === undefined) throw new Error('The form holds no file')
  const digest = createHash('sha256')
  const hashing = new Transform({
    transform(chunk, _, done) {
      digest.update(chunk)
      done(null, chunk)
    },
  })
  const Body = pipeline(part.file, hashing, () => {})
  await new Upload({ client, params: { Bucket: bucket, Key: randomUUID(), Body } }).done()
  return { sha256: digest.digest('hex') }
})

await app.listen({ host: '127.0.0.1', port: 0 })
