import { createHash, createHmac } from 'node:crypto'
import { Agent, type ClientRequest, type OutgoingHttpHeaders, request } from 'node:http'
import { bucket, connection } from './s3.ts'

const { hostname, port, host } = new URL(connection.endpoint as string)
const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env
const agent = new Agent({ keepAlive: true, maxSockets: 512 })

/** Opens a request for an object of the bucket over a kept connection, signed by hand, with an unsigned payload. */
export function openSigned(method: string, key: string, headers: OutgoingHttpHeaders = {}): ClientRequest {
  const path = `/${bucket}/${key}`
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const signed = { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-date': time }
  const names = Object.keys(signed).join(';')
  const lines = Object.entries(signed).map(([name, value]) => `${name}:${value}\n`)
  const canonical = `${method}\n${path}\n\n${lines.join('')}\n${names}\nUNSIGNED-PAYLOAD`
  const scope = `${time.slice(0, 8)}/${connection.region}/s3/aws4_request`
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`
  const signature = createHmac('sha256', keyOf(time.slice(0, 8)))
    .update(toSign)
    .digest('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${AWS_ACCESS_KEY_ID}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return request({ hostname, port, method, path, agent, headers: { ...headers, ...signed, authorization } })
}

const keys = new Map<string, Buffer>()

/** The key of a day. */
function keyOf(day: string): Buffer {
  const known = keys.get(day)
  if (known) return known
  const key = [day, connection.region as string, 's3', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${AWS_SECRET_ACCESS_KEY}`,
  )
  keys.set(day, key as Buffer)
  return key as Buffer
}
