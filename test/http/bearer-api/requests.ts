import type { Test } from 'tap'
import type { TestServer } from '../../kit/server.ts'

export type Headers = Record<string, string>

/** The attachment of seed 001. */
export interface AttachmentObject {
  id: string
  message_id: string
  filename: string
  file_url: string
  file_type: string
  file_size: number
  created_at: number
}

/** What the chat backend is told: both ids of what it named. */
export interface BothIds {
  userId: number
  roomId: number
  conversation_id: string
  messageId: number
  message_id: string
}

export async function readJson<T = AttachmentObject>(response: Response): Promise<T> {
  return (await response.json()) as T
}

/** A form with one file, and fields before it. */
export function formWith(file: File, fields: Record<string, string> = {}): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  form.append('file', file)
  return form
}

/** `POST /v1/attachments` */
export function postForm({ url }: TestServer, headers: Headers, body: FormData): Promise<Response> {
  return fetch(`${url}/v1/attachments`, { method: 'POST', headers, body })
}

/** Uploads a file that must be taken. */
export async function attach(
  server: TestServer,
  headers: Headers,
  file = new File(['hello'], 'hello.txt'),
  fields: Record<string, string> = {},
): Promise<AttachmentObject> {
  const response = await postForm(server, headers, formWith(file, fields))
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`)
  return readJson(response)
}

/** `GET /v1/attachments` with a query. */
export async function list(
  { url }: TestServer,
  headers: Headers,
  query: Record<string, string> = {},
): Promise<{ status: number; has_more: boolean; data: AttachmentObject[] }> {
  const search = new URLSearchParams(query)
  const response = await fetch(`${url}/v1/attachments?${search}`, { headers })
  return { status: response.status, ...(await readJson<{ has_more: boolean; data: AttachmentObject[] }>(response)) }
}

/** A request with a JSON body, or without one. */
export function send(
  { url }: TestServer,
  method: string,
  path: string,
  headers: Headers,
  json?: unknown,
): Promise<Response> {
  if (json === undefined) return fetch(url + path, { method, headers })
  const body = JSON.stringify(json)
  return fetch(url + path, { method, headers: { ...headers, 'content-type': 'application/json' }, body })
}

/** `PUT`, with an admin token, of a user, room or message; answers with its ids. */
export async function put(server: TestServer, path: string, json?: unknown): Promise<BothIds> {
  const response = await send(server, 'PUT', path, await server.bearer(1, ['admin']), json)
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return readJson<BothIds>(response)
}

/** An error of seed 001's surface: this status, this type, exactly these three fields, and words for the reader. */
export async function isBearerError(
  t: Test,
  response: Response,
  status: number,
  type: string,
  what = type,
): Promise<{ message: string; documentation_url: string }> {
  t.equal(response.status, status, `${what}: status`)
  t.equal(response.headers.get('content-type'), 'application/json; charset=utf-8', `${what}: content-type`)
  const body = await readJson<{ type: string; message: string; documentation_url: string }>(response)
  t.same(Object.keys(body), ['type', 'message', 'documentation_url'], `${what}: fields`)
  t.equal(body.type, type, `${what}: type`)
  t.match(body.message, /^[^{}]{10,250}$/, `${what}: message`)
  t.match(body.documentation_url, /^http:.+\/docs\/errors#\w+$/, `${what}: documentation_url`)
  return body
}
