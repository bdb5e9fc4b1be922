import { fieldHeaders, fileHeaders, multipartBody, newBoundary } from '../../kit/multipart.ts'
import { bytesOf, type Content } from '../expected/content.ts'
import type { RawRequest } from './sending.ts'

/** A form as it is sent. */
export interface Form {
  files: readonly { fileName: string; content: Content }[]
  fields: readonly (readonly [name: string, value: string])[]
  isChunked: boolean
  /** Whether the closing boundary is there. */
  isClosed: boolean
}

/** @returns the request, and up to where it has to be sent for each file to begin */
export function formRequest(
  messageId: number,
  headers: Record<string, string>,
  { files, fields, isChunked, isClosed }: Form,
): RawRequest & { beginnings: number[] } {
  const boundary = newBoundary()
  const declarations = fields.map(([name, body]) => ({ headers: fieldHeaders(name), body }))
  const parts = files.map(({ fileName, content }) => ({
    headers: fileHeaders('files', fileName),
    body: bytesOf(content),
  }))
  const beginnings = parts.map(({ body }, index) => {
    const before = multipartBody(boundary, [...declarations, ...parts.slice(0, index + 1)], false)
    // Before so many bytes, what comes may be the boundary that ends the file as well as its beginning.
    return before.length - body.length - '\r\n'.length + `\r\n--${boundary}`.length
  })
  return {
    method: 'POST',
    path: `/api/v1/messages/${messageId}/attachments`,
    headers: { ...headers, 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: multipartBody(boundary, [...declarations, ...parts], isClosed),
    isChunked,
    beginnings,
  }
}

export function putRequest(
  { id, fileName }: { id: number; fileName: string },
  headers: Record<string, string>,
  { body, digest }: { body: Buffer; digest: string | undefined },
): RawRequest {
  const declared = digest && { 'repr-digest': `sha-256=:${Buffer.from(digest, 'hex').toString('base64')}:` }
  return {
    method: 'PUT',
    path: `/api/v1/attachments/${id}/${encodeURIComponent(fileName)}`,
    headers: { ...headers, ...declared },
    body,
    isChunked: false,
  }
}
