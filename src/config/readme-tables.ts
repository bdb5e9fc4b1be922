import { limits } from '#domain/limits.ts'
import { type Setting, settings } from './settings.ts'

/** The README's table of settings. `npm run -s settings-table` prints the table, and `test/readme.test.ts` compares it. */
export function settingsTable(): string {
  const rows = Object.values<Setting<unknown>>(settings).map(
    ({ name, fallback, meaning }) => `| \`${name}\` | ${fallback ? `\`${fallback}\`` : ''} | ${meaning} |`,
  )
  return ['| Name | Default | Meaning |', '| --- | --- | --- |', ...rows].join('\n')
}

type Unit = 'bytes' | 'ms' | 'characters' | ''

/** The unit and subject of each limit, and the response to a client that reaches the limit. */
const meanings: Record<keyof typeof limits, [unit: Unit, subject: string, response: string]> = {
  plainBody: ['bytes', 'A body that is not a file', '413'],
  roomBody: ['bytes', 'The body of `PUT /v1/rooms/:roomId`', '413'],
  plainBodyTime: ['ms', 'Time for a body that is not a file', '408'],
  address: ['bytes', 'The first line and the headers of a request', '431'],
  pathPart: ['characters', 'A segment of a path', '404'],
  publish: ['ms', 'From the last byte of an upload to its response', '503, while the server goes on trying'],
  connect: ['ms', 'Connecting to the database', '503'],
  migrationStatement: ['ms', 'One statement of a migration', 'no server: the start fails'],
  migrationWait: ['ms', 'Waiting for locks of others, while migrating', 'no server: the start fails'],
  headTime: [
    'ms',
    'Time for the head of a request, or for a first byte on a new connection',
    '408 and the end of the connection',
  ],
  drainTime: [
    'ms',
    'Time in which a client has to close a connection that the server has ended',
    'the end of the connection',
  ],
  drainBytes: ['bytes', 'Bytes that a client still sends after an early response', 'the end of the connection'],
  headers: ['', 'Headers of a request', '431'],
  pipelined: ['', 'Requests that wait on one connection', 'the end of the connection'],
  pipelinedHeads: ['bytes', 'The heads of the requests that wait on one connection', 'the end of the connection'],
  unreadAnswers: ['bytes', 'Unread long responses of all connections', 'the end of the connections that hold most'],
  smallChunks: ['', 'Chunks of a chunked body, of any size', 'see the next line'],
  meanChunk: ['bytes', 'A chunk of a chunked body, on average beyond that number', '400 and the end of the connection'],
  roomMembers: ['', 'Members named in one request', '400'],
  fileName: ['bytes', 'A file name in UTF-8', '400'],
  sentFileName: ['characters', 'A file name as it is sent', '400'],
  contentType: ['characters', 'A media type', '400'],
  text: ['characters', 'Any other text of a request', '400'],
  quote: ['characters', 'The text that an error quotes from its request', 'a shortened quote'],
  formField: ['bytes', 'The value of a form field', '413'],
  formFields: ['bytes', 'All fields of a form', '413'],
  partHeaders: ['', 'Headers of a part of a form', '413'],
  partHeaderLine: ['bytes', 'A line in the head of a part', '413'],
  partHead: ['bytes', 'The head of a part', '413'],
  formPreamble: ['bytes', 'The bytes of a form outside of its boundaries', '413'],
  boundary: ['characters', 'The boundary of a form', '400'],
  messagePage: ['', 'Attachments in a page of a message', '`hasMore`; 400 for a larger `limit`'],
  page: ['', 'Attachments in a page of the bearer API', '`has_more`; 400 for a larger `limit`'],
  transitionsPage: ['', 'Steps of history in one response', 'the latest, and `hasMoreTransitions`'],
  clientSideMoves: ['', 'Changes between the client-side states of one attachment', '409'],
  statement: ['ms', 'One statement of the database', '503'],
  readiness: ['ms', 'A readiness probe of database and store', '503 of `/readyz`'],
  workerRound: ['ms', 'One round of a worker', 'another round'],
  rateWindow: ['ms', 'The window over which `MINIMUM_RATE` is measured', '408, or the end of a download'],
}

/** The settings that limit clients, and the response of each. Their meanings are in the table of settings. */
const responses: Partial<Record<keyof typeof settings, string>> = {
  maxFileSize: '413',
  maxFilesPerRequest: '413',
  maxConcurrentUploads: '503',
  uploadsPerUser: '429',
  maxConcurrentDownloads: '503',
  downloadsPerUser: '429',
  maxConnections: 'the end of the connection',
  requestsPerMinute: '429',
  requestsPerMinutePerAddress: '429',
  attachmentsPerMessage: '409',
  reservationsPerUser: '429',
  sessionsPerUser: 'the end of the oldest session',
  uploadIdleSeconds: '408',
  minimumRate: '408, or the end of a download',
  downloadIdleSeconds: 'the end of the connection',
}

/** The README's table of limits. `npm run -s limits-table` prints the table, and `test/readme.test.ts` compares it. */
export function limitsTable(): string {
  const constants = Object.entries(limits).map(([name, value]) => {
    const [unit, subject, response] = meanings[name as keyof typeof limits]
    return `| ${subject} | ${format(value, unit)} | ${response} |`
  })
  const adjustable = Object.entries(responses).map(([name, response]) => {
    const setting = settings[name as keyof typeof settings]
    return `| \`${setting.name}\` | ${setting.fallback ? `\`${setting.fallback}\`` : 'see above'} | ${response} |`
  })
  return ['| Limit of | Value | A client gets |', '| --- | --- | --- |', ...adjustable, ...constants].join('\n')
}

function format(value: number, unit: Unit): string {
  if (unit === 'ms') return `${value / 1000} s`
  if (unit !== 'bytes') return `${value} ${unit}`.trim()
  if (value % 2 ** 20 === 0) return `${value / 2 ** 20} MiB`
  return value % 2 ** 10 === 0 ? `${value / 2 ** 10} KiB` : `${value} bytes`
}

const tables: Record<string, () => string> = { settings: settingsTable, limits: limitsTable }

if (import.meta.main) console.log(tables[process.argv[2] ?? '']?.() ?? 'Usage: readme-tables.ts settings | limits')
