import type { Socket } from 'node:net'
import { Session } from './cookie-api.ts'
import type { RawAnswer } from './raw-http.ts'
import { beginForm, beginPut } from './slow-upload.ts'

/** A server, and the credentials of its user 1. */
export interface Place {
  url: string
  cookie: string
  authorization: string
}

/** A file on its way, as far as the test has sent it. */
export interface Upload {
  socket: Socket
  /** Resolves when the socket has taken the bytes, or is closed. */
  send(bytes: Buffer): Promise<void>
  /** Ends the request and reads the answer. */
  finish(): Promise<RawAnswer>
}

/** One of the ways a file can come. */
export interface WayToUpload {
  name: string
  /** The status of an upload that went well. */
  success: number
  begin(place: Place, file: { fileName: string; size: number }): Promise<Upload>
}

const messagePath = '/api/v1/messages/1/attachments'

/** Its length is told to nobody. */
export const form: WayToUpload = {
  name: 'a form',
  success: 200,
  begin: async ({ url, cookie }, { fileName }) => beginForm(url, messagePath, 'files', { cookie }, { fileName }),
}

export const declaredForm: WayToUpload = {
  name: 'a form that declares fileSize',
  success: 200,
  begin: async ({ url, cookie }, { fileName, size }) =>
    beginForm(url, messagePath, 'files', { cookie }, { fileName, fields: { fileSize: String(size) } }),
}

export const bearerForm: WayToUpload = {
  name: 'a form to the bearer API',
  success: 201,
  begin: async ({ url, authorization }, { fileName }) =>
    beginForm(url, '/v1/attachments', 'file', { authorization }, { fileName }),
}

export const declaredBearerForm: WayToUpload = {
  name: 'a form to the bearer API that declares file_size',
  success: 201,
  begin: async ({ url, authorization }, { fileName, size }) =>
    beginForm(url, '/v1/attachments', 'file', { authorization }, { fileName, fields: { file_size: String(size) } }),
}

export const rawPut: WayToUpload = {
  name: 'a raw PUT of a reservation',
  success: 200,
  async begin(place, file) {
    return putBytes(place, await reserve(place, file), file)
  },
}

/** Announces a file to message 1. @returns its id */
export function reserve(
  { url, cookie }: Place,
  { fileName, size }: { fileName: string; size: number },
): Promise<number> {
  return new Session(url, { cookie }).reserve({ fileName, fileSize: size })
}

/** Begins to send the bytes of a reservation. */
export function putBytes(
  { url, cookie }: Place,
  id: number,
  { fileName, size }: { fileName: string; size: number },
): Upload {
  const { socket, send, answer } = beginPut(url, `/api/v1/attachments/${id}/${fileName}`, size, { cookie })
  return { socket, send, finish: () => answer }
}
