import type { Test } from 'tap'
import type { Headers } from './http-client.ts'
import type { RawAnswer } from './raw-http.ts'
import type { TestServer } from './server.ts'

/** One of the two APIs, as a test that treats both alike sees it. */
export interface Surface {
  name: string
  /** Where user 1 uploads to. */
  path: string
  /** The form field of a file. */
  fileField: string
  /** The form field that declares the size of a file. */
  sizeField: string
  /** The status of an upload that went well. */
  created: number
  credentials(server: TestServer, userId: number): Promise<Headers>
  /** Asserts that an answer is an error with exactly the documented shape; `text` is in what it tells the client. */
  isError(t: Test, answer: RawAnswer, status: number, text: RegExp): void
}

const errorTypes: Record<number, string> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  429: 'rate_limit_error',
  500: 'api_error',
  503: 'storage_error',
}

export const cookieApi: Surface = {
  name: 'cookie API',
  path: '/api/v1/messages/1/attachments',
  fileField: 'files',
  sizeField: 'fileSize',
  created: 200,
  credentials: async (server, userId) => server.cookie(userId),
  isError(t, answer, status, text) {
    const { errorText, ...rest } = shapeOf(t, answer, status)
    t.match(errorText, text, 'errorText')
    t.strictSame(rest, { httpStatusCode: status }, 'nothing else but the status')
  },
}

export const bearerApi: Surface = {
  name: 'bearer API',
  path: '/v1/attachments',
  fileField: 'file',
  sizeField: 'file_size',
  created: 201,
  credentials: async (server, userId) => server.bearer(userId),
  isError(t, answer, status, text) {
    const { message, documentation_url, ...rest } = shapeOf(t, answer, status)
    const type = errorTypes[status] ?? 'invalid_request_error'
    t.match(message, text, 'message')
    t.match(documentation_url, /^https?:\/\/.*\/docs\/errors/, 'documentation_url')
    t.strictSame(rest, { type }, 'nothing else but the type')
  },
}

export const surfaces = [cookieApi, bearerApi]

/** The statuses that come back unasked need these headers. */
function shapeOf(t: Test, { status, headers, body }: RawAnswer, expected: number): Record<string, unknown> {
  t.equal(status, expected, `status ${expected}`)
  t.equal(headers['content-type'], 'application/json; charset=utf-8')
  if (expected === 503) t.match(headers['retry-after'], /^\d+$/, 'Retry-After')
  t.notMatch(
    body,
    /\bat .*\.[jt]s\b|node_modules|select |insert |postgres|bucket|test-|minio/i,
    'nothing of the inside',
  )
  return isJson(body) ? JSON.parse(body) : {}
}

function isJson(text: string): boolean {
  return text.startsWith('{')
}
