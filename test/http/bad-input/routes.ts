import { fieldPart, filePart, formOf, type RawBody } from '../../kit/multipart.ts'
import { bearerApi, cookieApi, type Surface } from '../../kit/surfaces.ts'

/** What a route is asked about: as it stands in the address, or in a field. */
export interface Target {
  attachment: string
  message: string
  conversation: string
  fileName: string
}

/** A route that names something by its id. */
export interface Route {
  surface: Surface
  method: string
  path(target: Target): string
  form(target: Target): RawBody
  /** What is not found when the id names nothing. */
  what: RegExp
  /** The status of a member's request about what is Ready, when it is not taken. */
  whenReady?: number
}

const noBody: RawBody = { headers: {}, body: Buffer.alloc(0) }
const json = (value: unknown): RawBody => ({
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(value)),
})
const bytes: RawBody = { headers: { 'content-type': 'text/plain' }, body: Buffer.from('content') }

const attachment = { form: () => noBody, what: /^Attachment not found$/ }
const message = { form: () => noBody, what: /^Message not found$/ }

export const cookieRoutes: Route[] = [
  { method: 'GET', path: (id: Target) => `/api/v1/attachments/${id.attachment}`, ...attachment },
  { method: 'HEAD', path: (id: Target) => `/api/v1/attachments/${id.attachment}`, ...attachment },
  { method: 'GET', path: (id: Target) => `/api/v1/attachments/${id.attachment}?include=transitions`, ...attachment },
  { method: 'GET', path: (id: Target) => `/api/v1/attachments/${id.attachment}/${id.fileName}`, ...attachment },
  { method: 'HEAD', path: (id: Target) => `/api/v1/attachments/${id.attachment}/${id.fileName}`, ...attachment },
  {
    method: 'GET',
    path: (id: Target) => `/api/v1/attachments/${id.attachment}/${id.fileName}?variant=thumbnail`,
    ...attachment,
    // There are no thumbnails.
    whenReady: 404,
  },
  {
    method: 'PATCH',
    path: (id: Target) => `/api/v1/attachments/${id.attachment}`,
    ...attachment,
    form: (id: Target) => json({ fileName: id.fileName }),
  },
  {
    method: 'PUT',
    path: (id: Target) => `/api/v1/attachments/${id.attachment}/${id.fileName}`,
    ...attachment,
    form: () => bytes,
    whenReady: 409,
  },
  { method: 'DELETE', path: (id: Target) => `/api/v1/attachments/${id.attachment}`, ...attachment },
  { method: 'GET', path: (id: Target) => `/api/v1/messages/${id.message}/attachments`, ...message },
  {
    method: 'POST',
    path: (id: Target) => `/api/v1/messages/${id.message}/attachments`,
    ...message,
    form: () => formOf(filePart(cookieApi)),
  },
].map((route) => ({ surface: cookieApi, ...route }))

/** Names a message in its body, where an id is a number and nothing else. */
export const reserveRoute: Route = {
  surface: cookieApi,
  method: 'POST',
  path: () => '/api/v1/attachments',
  ...message,
  form: (id: Target) => json({ messageId: Number(id.message), fileName: id.fileName, fileSize: 7 }),
}

export const bearerRoutes: Route[] = [
  { method: 'GET', path: (id: Target) => `/v1/attachments/${id.attachment}`, ...attachment },
  { method: 'HEAD', path: (id: Target) => `/v1/attachments/${id.attachment}`, ...attachment },
  {
    method: 'PUT',
    path: (id: Target) => `/v1/attachments/${id.attachment}`,
    ...attachment,
    form: () => json({ filename: 'b.txt' }),
  },
  { method: 'DELETE', path: (id: Target) => `/v1/attachments/${id.attachment}`, ...attachment },
  {
    method: 'POST',
    path: () => '/v1/attachments',
    ...message,
    form: (id: Target) => formOf(fieldPart('message_id', decodeURIComponent(id.message)), filePart(bearerApi)),
  },
  {
    method: 'POST',
    path: () => '/v1/attachments',
    what: /^Conversation not found$/,
    form: (id: Target) =>
      formOf(fieldPart('conversation_id', decodeURIComponent(id.conversation)), filePart(bearerApi)),
  },
  {
    method: 'GET',
    path: (id: Target) => `/v1/attachments?conversation_id=${id.conversation}`,
    form: () => noBody,
    what: /^Conversation not found$/,
  },
].map((route) => ({ surface: bearerApi, ...route }))
