import type { Test } from 'tap'
import type { TestServer } from '../../kit/server.ts'

/** The attachment of seed 000, and what API.md adds to it. */
export interface Metadata {
  attachmentId: number
  attachmentState: string
  contentType: string
  createdUtc: number
  failureReason?: string
  fileChecksum: string | null
  fileChecksumAlgorithm: string
  fileName: string
  fileSize: number | null
  hasThumbnail: boolean
  lastModifiedUtc: number
  roomId: number
  textMessageId: number
  transitions?: Transition[]
}

export interface Transition {
  transitionId: number
  from: string | null
  to: string
  utc: number
  reason: string
  actor: string
}

/** A user's session, and what it asks for. */
export class Session {
  readonly #server: TestServer
  readonly headers: Record<string, string>

  private constructor(server: TestServer, headers: Record<string, string>) {
    this.#server = server
    this.headers = headers
  }

  static async of(server: TestServer, userId: number): Promise<Session> {
    return new Session(server, await server.cookie(userId))
  }

  /** Any request, by its path below `/api/v1`. */
  ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...this.headers, ...(init.headers as Record<string, string>) }
    return fetch(`${this.#server.url}/api/v1${path}`, { ...init, method, headers })
  }

  /** Uploads as the seed shows it; fields come before the files. */
  post(files: File[], fields: [name: string, value: string][] = [], messageId = 1): Promise<Response> {
    const body = new FormData()
    for (const [name, value] of fields) body.append(name, value)
    for (const file of files) body.append('files', file)
    return this.ask('POST', `/messages/${messageId}/attachments`, { body })
  }

  /** Uploads files that must be taken. @returns their ids */
  async upload(...files: File[]): Promise<number[]> {
    const response = await this.post(files)
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    return (await readJson<{ attachmentIds: number[] }>(response)).attachmentIds
  }

  async metadata(id: number, query = ''): Promise<Metadata> {
    const response = await this.ask('GET', `/attachments/${id}${query}`)
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    return readJson<Metadata>(response)
  }

  async list(messageId = 1): Promise<Metadata[]> {
    const response = await this.ask('GET', `/messages/${messageId}/attachments`)
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    return (await readJson<{ attachments: Metadata[] }>(response)).attachments
  }

  /** Announces a file to message 1, unless `fields` say otherwise. */
  announce(fields: Record<string, unknown>): Promise<Response> {
    return this.json('POST', '/attachments', { messageId: 1, fileName: 'a.txt', ...fields })
  }

  /** Reserves what must be taken. @returns its id */
  async reserve(fields: Record<string, unknown>): Promise<number> {
    const response = await this.announce(fields)
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`)
    return (await readJson<Metadata>(response)).attachmentId
  }

  /** Sends the bytes of a reserved attachment. */
  put(
    id: number,
    fileName: string,
    body: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const bytes = new Uint8Array(typeof body === 'string' ? Buffer.from(body) : body)
    return this.ask('PUT', `/attachments/${id}/${encodeURIComponent(fileName)}`, { headers, body: bytes })
  }

  patch(id: number, fields: unknown): Promise<Response> {
    return this.json('PATCH', `/attachments/${id}`, fields)
  }

  json(method: string, path: string, body: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json' }
    return this.ask(method, path, { headers, body: JSON.stringify(body) })
  }

  download(id: number, fileName: string): Promise<Response> {
    return this.ask('GET', `/attachments/${id}/${encodeURIComponent(fileName)}`)
  }
}

export function textFile(name = 'a.txt', content = 'content'): File {
  return new File([content], name, { type: 'text/plain' })
}

export async function readJson<T>(response: Response): Promise<T> {
  return (await response.json()) as T
}

/** Asserts that an answer is an error of exactly the seed's shape. */
export async function isError(t: Test, response: Response, status: number, text: RegExp): Promise<void> {
  t.equal(response.status, status, `status ${status}`)
  t.equal(response.headers.get('content-type'), 'application/json; charset=utf-8')
  const { errorText, ...rest } = await readJson<{ errorText: string }>(response)
  t.match(errorText, text, 'errorText')
  t.strictSame(rest, { httpStatusCode: status }, 'nothing else but the status')
}
