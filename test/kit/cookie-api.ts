import type { Test } from 'tap'
import { expectJson, formOfFiles, type Headers, type Outgoing, readJson, request } from './http-client.ts'
import type { TestServer } from './server.ts'

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

/** A user's session at a server, and the requests of the cookie API. */
export class Session {
  readonly url: string
  readonly headers: Headers

  constructor(url: string, headers: Headers) {
    this.url = url
    this.headers = headers
  }

  static async of(server: TestServer, userId: number): Promise<Session> {
    return new Session(server.url, await server.cookie(userId))
  }

  /** Any request, by its path below `/api/v1`. */
  ask(method: string, path: string, outgoing: Outgoing = {}): Promise<Response> {
    const headers = { ...this.headers, ...outgoing.headers }
    return request(this.url, method, `/api/v1${path}`, { ...outgoing, headers })
  }

  /** Uploads as the seed shows it; fields come before the files. */
  post(files: File[], fields: [name: string, value: string][] = [], messageId = 1): Promise<Response> {
    return this.ask('POST', `/messages/${messageId}/attachments`, { body: formOfFiles('files', files, fields) })
  }

  /** Uploads files that must be taken. @returns their ids */
  async upload(...files: File[]): Promise<number[]> {
    return (await expectJson<{ attachmentIds: number[] }>(this.post(files))).attachmentIds
  }

  metadata(id: number, query = ''): Promise<Metadata> {
    return expectJson<Metadata>(this.ask('GET', `/attachments/${id}${query}`))
  }

  async list(messageId = 1): Promise<Metadata[]> {
    const answer = this.ask('GET', `/messages/${messageId}/attachments`)
    return (await expectJson<{ attachments: Metadata[] }>(answer)).attachments
  }

  /** Announces a file to message 1, unless `fields` say otherwise. */
  announce(fields: Record<string, unknown>): Promise<Response> {
    return this.json('POST', '/attachments', { messageId: 1, fileName: 'a.txt', ...fields })
  }

  /** Reserves what must be taken. @returns its id */
  async reserve(fields: Record<string, unknown>): Promise<number> {
    return (await expectJson<Metadata>(this.announce(fields), 201)).attachmentId
  }

  /** Sends the bytes of a reserved attachment. */
  put(id: number, fileName: string, body: string | Uint8Array, headers: Headers = {}): Promise<Response> {
    const bytes = new Uint8Array(typeof body === 'string' ? Buffer.from(body) : body)
    return this.ask('PUT', `/attachments/${id}/${encodeURIComponent(fileName)}`, { headers, body: bytes })
  }

  patch(id: number, fields: unknown): Promise<Response> {
    return this.json('PATCH', `/attachments/${id}`, fields)
  }

  json(method: string, path: string, body: unknown): Promise<Response> {
    return this.ask(method, path, { json: body })
  }

  download(id: number, fileName: string, headers: Headers = {}): Promise<Response> {
    return this.ask('GET', `/attachments/${id}/${encodeURIComponent(fileName)}`, { headers })
  }
}

export function textFile(name = 'a.txt', content = 'content'): File {
  return new File([content], name, { type: 'text/plain' })
}

/** Asserts that an answer is an error of exactly the seed's shape. */
export async function isError(t: Test, response: Response, status: number, text: RegExp): Promise<void> {
  t.equal(response.status, status, `status ${status}`)
  t.equal(response.headers.get('content-type'), 'application/json; charset=utf-8')
  const { errorText, ...rest } = await readJson<{ errorText: string }>(response)
  t.match(errorText, text, 'errorText')
  t.strictSame(rest, { httpStatusCode: status }, 'nothing else but the status')
}
