import { limits } from '#domain/limits.ts'
import { defaultOf } from '../deploy/deploy-files.ts'
import type { Load } from '../kit/memory-formula.ts'
import { type Serving, uploadFile } from '../kit/serving.ts'
import type { Place } from '../kit/ways-to-upload.ts'

/** Clients that together make a replica hold as much as they can. */
export interface WorstClients {
  name: string
  /** How many at once. */
  count: number
  /** What each sends, and then goes on with by single bytes, and reads nothing. */
  send(server: Serving & Place): string | Promise<string>
  drips: boolean
  /** The metric that tells how many are held. */
  metric: string
  load: Load
  env?: NodeJS.ProcessEnv
}

/** A quarter of what there may be: more would take longer to come than they may stay. */
const connections = Number(defaultOf('MAX_CONNECTIONS')) / 4
/** As many as one user may have. */
const uploads = Number(defaultOf('MAX_CONCURRENT_UPLOADS')) / 4
const downloads = Number(defaultOf('MAX_CONCURRENT_DOWNLOADS')) / 4

/** A head may have 16 KiB. */
const longHead = 15_000

/** As many as one request may have, less those that it needs: what a header costs does not grow with its length alone. */
function manyHeaders(bytes: number): string {
  const count = limits.headers - 5
  const value = 'v'.repeat(Math.max(0, Math.floor(bytes / count) - 6))
  return Array.from({ length: count }, (_, n) => `${n.toString(36).padStart(3, '0')}:${value}\r\n`).join('')
}

function head(line: string, { cookie }: Place, more = ''): string {
  return `${line} HTTP/1.1\r\nHost: test\r\nCookie: ${cookie}\r\n${more}`
}

const held = { count: connections, metric: 'stowage_connections', load: { connections } }

export const worstClients: WorstClients[] = [
  { ...held, name: 'connections that say nothing', drips: false, send: () => '' },
  {
    ...held,
    name: 'heads that do not end',
    drips: false,
    send: (place) => head('GET /livez', place, manyHeaders(longHead)),
  },
  {
    ...held,
    name: 'bodies that do not end',
    drips: true,
    send(place) {
      const headers = `Content-Type: application/json\r\nContent-Length: 16010\r\n${manyHeaders(12_000)}`
      return `${head('POST /api/v1/attachments', place, headers)}\r\n{"a":"${'x'.repeat(15_900)}`
    },
  },
  {
    ...held,
    name: 'bodies that come byte by byte, each a chunk',
    drips: false,
    send(place) {
      const headers = `Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n${manyHeaders(12_000)}`
      return `${head('POST /api/v1/attachments', place, headers)}\r\n${'1\r\n"\r\n'.repeat(limits.smallChunks)}`
    },
  },
  {
    ...held,
    name: 'requests sent ahead',
    drips: false,
    send(place) {
      const get = (bytes: number) => `${head('GET /livez', place, manyHeaders(bytes))}\r\n`
      return get(longHead) + get(1200).repeat(10)
    },
  },
  {
    name: 'forms full of fields',
    count: uploads,
    metric: 'stowage_uploads_in_progress',
    load: { declared: uploads, connections: uploads, filesOfForm: 1000 },
    env: { UPLOADS_PER_USER: String(uploads), MAX_FILES_PER_REQUEST: '1000' },
    drips: true,
    send(place) {
      const field = (name: string, value: string) =>
        `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
      const fields = field('fileChecksum', 'a'.repeat(64)) + field('fileSize', '1')
      const headers = 'Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n'
      const line = 'POST /api/v1/messages/1/attachments'
      return `${head(line, place, headers)}\r\n${fields.repeat(1000)}--b\r\nContent-Disposition: `
    },
  },
  {
    name: 'readers of a large file that do not read',
    count: downloads,
    metric: 'stowage_downloads_in_progress',
    load: { downloads, connections: downloads },
    env: { DOWNLOADS_PER_USER: String(downloads), DOWNLOAD_IDLE_SECONDS: '60', MINIMUM_RATE: '0' },
    drips: false,
    async send(server) {
      const id = await uploadFile(server, server.cookie, 'large.bin', Buffer.alloc(16 * 2 ** 20, 'x'))
      return `${head(`GET /api/v1/attachments/${id}/large.bin`, server)}\r\n`
    },
  },
]
