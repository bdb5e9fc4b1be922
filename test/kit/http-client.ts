import { once } from 'node:events'
import { get, type IncomingMessage, type RequestOptions } from 'node:http'

export type Headers = Record<string, string>

/** The rest of a request beside its method and path. */
export interface Outgoing extends Omit<RequestInit, 'method' | 'headers'> {
  headers?: Headers
  /** Sent as JSON, in place of a body. */
  json?: unknown
}

/** Sends a request: without a body, or with JSON, a form, or bytes. */
export function request(
  url: string,
  method: string,
  path: string,
  { json, ...init }: Outgoing = {},
): Promise<Response> {
  if (json === undefined) return fetch(url + path, { ...init, method })
  const headers = { ...init.headers, 'content-type': 'application/json' }
  return fetch(url + path, { ...init, method, headers, body: JSON.stringify(json) })
}

/** Sends a request to a server, with a JSON body or without one. */
export function send(
  { url }: { url: string },
  method: string,
  path: string,
  headers: Headers = {},
  json?: unknown,
): Promise<Response> {
  return request(url, method, path, { headers, json })
}

export async function readJson<T>(response: Response): Promise<T> {
  return (await response.json()) as T
}

/** Reads the JSON of an answer that must have a status. @throws Error with the answer, if it has another one */
export async function expectJson<T>(answer: Promise<Response>, status = 200): Promise<T> {
  return readJson<T>(await expectStatus(answer, status))
}

/** Reads a download that must come. @throws Error with the answer, if it is another one */
export async function expectBytes(answer: Promise<Response>): Promise<Buffer> {
  const response = await expectStatus(answer, 200)
  return Buffer.from(await response.arrayBuffer())
}

async function expectStatus(answer: Promise<Response>, status: number): Promise<Response> {
  const response = await answer
  if (response.status !== status) throw new Error(`${response.status} ${await response.text()}`)
  return response
}

/** A form of these fields, and after them these files in one field. */
export function formOfFiles(
  field: string,
  files: readonly File[],
  fields: readonly (readonly [name: string, value: string])[] = [],
): FormData {
  const form = new FormData()
  for (const [name, value] of fields) form.append(name, value)
  for (const file of files) form.append(field, file)
  return form
}

/** Asks for a resource, on a connection of its own unless there is an agent, and reads nothing but the head of the answer. */
export async function openResponse(url: string, options: RequestOptions = {}): Promise<IncomingMessage> {
  const [response] = await once(get(url, { agent: false, ...options }), 'response')
  return response as IncomingMessage
}
