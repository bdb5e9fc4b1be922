import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { MIMEType } from 'node:util'
import type { FastifyRequest } from 'fastify'
import type { Config } from '../../config.ts'
import { StowageError } from '../../errors.ts'
import { untilAborted } from '../../store/until-aborted.ts'
import { partBody } from './part-body.ts'
import { partHeaders } from './part-headers.ts'
import { PartReader } from './part-reader.ts'
import { hungUp } from './transfer.ts'

/** RFC 2046 section 5.1.1. */
const longestBoundary = 70
const mostFields = 100
const longestField = 64 * 1024

export interface FormField {
  name: string
  value: string
}

export interface FormFile {
  name: string
  /** As the client sent it, unchecked. */
  fileName: string
  /** As the client claims it. */
  contentType: string | undefined
  body: Readable
}

export interface FormHandlers {
  /** The only name a file may come under. */
  fileField: string
  signal: AbortSignal
  onField(field: FormField): void
  /** Has taken the body to its end when it resolves. */
  onFile(file: FormFile): Promise<void>
}

/**
 * Reads a `multipart/form-data` body (RFC 7578) to its end, one part after another, as it arrives.
 * @throws StowageError for a body that is none, breaks a limit or ends early; `signal`'s reason; what the handlers throw
 */
export async function receiveForm(request: FastifyRequest, config: Config, handlers: FormHandlers): Promise<void> {
  const boundary = boundaryOf(request)
  const source = bytesOf(request.raw, handlers.signal)
  try {
    await receiveParts(new PartReader(source, boundary), config, handlers)
  } finally {
    // Not awaited: a source that waits for its next bytes answers only when they come.
    source.return().catch(() => {})
  }
}

function boundaryOf({ headers }: FastifyRequest): string {
  const type = mimeType(headers['content-type'])
  if (type?.essence !== 'multipart/form-data')
    throw new StowageError('unsupported_media_type', 'Send the file as multipart/form-data.')
  const boundary = type.params.get('boundary')
  if (!boundary) throw new StowageError('invalid', 'The Content-Type names no boundary. Let your HTTP client set it.')
  if (boundary.length > longestBoundary)
    throw new StowageError(
      'invalid',
      `The boundary is longer than ${longestBoundary} characters (RFC 2046). Shorten it.`,
    )
  return boundary
}

function mimeType(header: string | undefined): MIMEType | undefined {
  try {
    return header === undefined ? undefined : new MIMEType(header)
  } catch {
    return undefined
  }
}

/** Ended early, it leaves the request as it is: destroying it would take the connection along, and with it the answer. */
async function* bytesOf(request: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* untilAborted(request.iterator({ destroyOnReturn: false }), signal) as AsyncGenerator<Buffer, void, undefined>
  } catch (error) {
    throw error instanceof StowageError ? error : hungUp(error)
  }
}

async function receiveParts(reader: PartReader, { maxFilesPerRequest }: Config, handlers: FormHandlers): Promise<void> {
  let fields = 0
  let files = 0
  for (let head = await reader.nextPart(); head !== undefined; head = await reader.nextPart()) {
    const { name, fileName, contentType } = partHeaders(head)
    if (fileName === undefined) {
      fields += 1
      if (fields > mostFields)
        throw new StowageError('too_large', `More than ${mostFields} fields. Send only the documented ones.`)
      requireFieldName(name, handlers.fileField)
      handlers.onField({ name, value: await readField(reader, name) })
    } else {
      files += 1
      if (files > maxFilesPerRequest)
        throw new StowageError('too_large', `More than ${maxFilesPerRequest} files. Send them in several requests.`)
      requireFileField(name, handlers.fileField)
      await handlers.onFile({ name, fileName, contentType, body: partBody(reader) })
    }
  }
}

function requireFieldName(name: string, fileField: string): void {
  if (name === fileField)
    throw new StowageError(
      'invalid',
      `The field "${fileField}" holds text, not a file. With curl, put an @ before the path: -F ${fileField}=@photo.png`,
    )
  if (name in Object.prototype)
    throw new StowageError('invalid', `No field may have the name "${name}". Send only the documented ones.`)
}

function requireFileField(name: string, fileField: string): void {
  if (name !== fileField)
    throw new StowageError(
      'invalid',
      `A file came under the name ${JSON.stringify(name)}. Name the field "${fileField}".`,
    )
}

async function readField(reader: PartReader, name: string): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for (let bytes = await reader.read(); bytes !== undefined; bytes = await reader.read()) {
    length += bytes.length
    if (length > longestField)
      throw new StowageError('too_large', `The field ${JSON.stringify(name)} is longer than ${longestField} bytes.`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString()
}
