import type { Test } from 'tap'
import { expectJson, formOfFiles, type Headers, readJson, request, send } from './http-client.ts'
import type { TestServer } from './server.ts'

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

/** A form with one file, and fields before it. */
export function formWith(file: File, fields: Record<string, string> = {}): FormData {
  return formOfFiles('file', [file], Object.entries(fields))
}

/** `POST /v1/attachments` */
export function postForm({ url }: { url: string }, headers: Headers, body: FormData): Promise<Response> {
  return request(url, 'POST', '/v1/attachments', { headers, body })
}

export function readAttachment(response: Response): Promise<AttachmentObject> {
  return readJson(response)
}

/** Uploads a file that must be taken. */
export function attach(
  server: { url: string },
  headers: Headers,
  file = new File(['hello'], 'hello.txt'),
  fields: Record<string, string> = {},
): Promise<AttachmentObject> {
  return expectJson(postForm(server, headers, formWith(file, fields)), 201)
}

/** `GET /v1/attachments` with a query. */
export async function list(
  { url }: { url: string },
  headers: Headers,
  query: Record<string, string> = {},
): Promise<{ status: number; has_more: boolean; data: AttachmentObject[] }> {
  const response = await request(url, 'GET', `/v1/attachments?${new URLSearchParams(query)}`, { headers })
  return { status: response.status, ...(await readJson<{ has_more: boolean; data: AttachmentObject[] }>(response)) }
}

/** `PUT`, with an admin token, of a user, room or message; answers with its ids. */
export async function put(server: TestServer, path: string, json?: unknown): Promise<BothIds> {
  return expectJson(send(server, 'PUT', path, await server.bearer(1, ['admin']), json))
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
