import type { Readable } from 'node:stream'
import { MIMEType } from 'node:util'
import type { Multipart, MultipartFile, MultipartValue } from '@fastify/multipart'
import type { FastifyError, FastifyRequest } from 'fastify'
import type { Config } from '../../config.ts'
import { StowageError } from '../../errors.ts'
import { untilAborted } from '../../until-aborted.ts'
import { PartGuard } from './part-guard.ts'
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
  /** As the client sent it, unchecked; `undefined` when it sent none. */
  fileName: string | undefined
  /** As the client claims it; `undefined` when it claims none. */
  contentType: string | undefined
  body: Readable
  /** Bytes it may have at most: those of the whole form, when it says so. */
  atMost: number | undefined
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
 * Reads a `multipart/form-data` body (RFC 7578) to its closing boundary, one part after another, as it arrives.
 * @throws StowageError for a body that is none, breaks a limit or ends early; `signal`'s reason; what the handlers throw
 */
export async function receiveForm(request: FastifyRequest, config: Config, handlers: FormHandlers): Promise<void> {
  const refused = new AbortController()
  const guard = new PartGuard(boundaryOf(request), (error) => refused.abort(error))
  const watch = (chunk: Buffer) => guard.push(chunk)
  const signal = AbortSignal.any([handlers.signal, refused.signal])
  const handedOut = { fields: 0, files: 0 }
  const length = request.headers['content-length']
  const formLength = length === undefined ? undefined : Number(length)
  request.raw.on('data', watch)
  try {
    for await (const part of untilAborted(partsOf(request, config), signal)) {
      const number = countPart(part, handedOut, config)
      if (part.type === 'file') await takeFile(part, { isTyped: guard.isTyped(number), atMost: formLength }, handlers)
      else handlers.onField(fieldFrom(part as MultipartValue<unknown>, handlers.fileField))
    }
  } catch (error) {
    throw toFormError(error)
  } finally {
    request.raw.off('data', watch)
  }
  if (!guard.isWhole(handedOut.fields + handedOut.files)) throw broken()
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

function partsOf(request: FastifyRequest, { maxFileSize, maxFilesPerRequest }: Config) {
  return request.parts({
    // A name with a path is refused, not shortened to something the client did not send.
    preservePath: true,
    limits: {
      // One more than is taken: the parser cuts a body to the limit and ends it, and tells of a part too many after others
      // that came behind it. So the limits proper are the ingest's and ours.
      fileSize: maxFileSize + 1,
      files: maxFilesPerRequest + 1,
      fields: mostFields + 1,
      fieldSize: longestField,
    },
  })
}

/** @returns which part of the form it is, counted from 1 */
function countPart(
  { type }: Multipart,
  counted: { fields: number; files: number },
  { maxFilesPerRequest }: Config,
): number {
  if (type === 'file') counted.files += 1
  else counted.fields += 1
  if (counted.files > maxFilesPerRequest)
    throw new StowageError('too_large', `More than ${maxFilesPerRequest} files. Send them in several requests.`)
  if (counted.fields > mostFields)
    throw new StowageError('too_large', `More than ${mostFields} fields. Send only the documented ones.`)
  return counted.files + counted.fields
}

async function takeFile(
  part: MultipartFile,
  { isTyped, atMost }: { isTyped: boolean; atMost: number | undefined },
  { fileField, onFile }: FormHandlers,
): Promise<void> {
  const { fieldname, filename, mimetype, file } = part
  try {
    if (fieldname !== fileField)
      throw new StowageError(
        'invalid',
        `A file came under the name ${JSON.stringify(fieldname)}. Name the field "${fileField}".`,
      )
    const contentType = isTyped ? mimetype : undefined
    await onFile({ name: fieldname, fileName: unescapeName(filename), contentType, body: file, atMost })
  } finally {
    // A part that is not read to its end would hold the parser, and with it the request, for ever.
    if (!file.readableEnded) file.destroy()
  }
}

/**
 * Browsers and curl write `"`, CR and LF in a file name as %22, %0D and %0A, and escape nothing else.
 * HTML Standard, "multipart/form-data encoding algorithm".
 */
function unescapeName(name: string | undefined): string | undefined {
  return name?.replace(/%(22|0D|0A)/gi, (escaped) => decodeURIComponent(escaped))
}

function fieldFrom({ fieldname, value, valueTruncated }: MultipartValue<unknown>, fileField: string): FormField {
  if (fieldname === fileField)
    throw new StowageError(
      'invalid',
      `The field "${fileField}" holds text, not a file. With curl, put an @ before the path: -F ${fileField}=@photo.png`,
    )
  if (valueTruncated)
    throw new StowageError('too_large', `The field ${JSON.stringify(fieldname)} is longer than ${longestField} bytes.`)
  return { name: fieldname, value: typeof value === 'string' ? value : JSON.stringify(value) }
}

/** The parser's errors, in words that say what to do. */
function toFormError(error: unknown): unknown {
  if (error instanceof StowageError) return error
  const { code, message } = error as FastifyError
  switch (code) {
    case 'FST_PROTO_VIOLATION':
      return new StowageError('invalid', 'A field has a name that is not allowed. Send only the documented ones.')
    case 'FST_INVALID_JSON_FIELD_ERROR':
      return new StowageError('invalid', 'A field of type application/json holds no valid JSON. Send it as text.')
    case 'FST_MP_PREMATURE_CLOSE':
      return hungUp(error)
  }
  // The parser's own complaints carry no code, only these words.
  return /multipart|terminated early|Malformed part/i.test(message) ? broken(error) : error
}

function broken(cause?: unknown): StowageError {
  const message = 'The multipart body is broken or ends before its closing boundary. Send it again.'
  return new StowageError('invalid', message, { cause })
}
