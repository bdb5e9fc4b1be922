import { MIMEType } from 'node:util'
import type { MultipartValue } from '@fastify/multipart'
import type { FastifyError, FastifyRequest } from 'fastify'
import { abortable } from '#async/abortable.ts'
import type { Config } from '#config/config.ts'
import { quoted, StowageError } from '#domain/errors.ts'
import { limits } from '#domain/limits.ts'
import type { BodyWatch } from './body-watch.ts'
import { CanonicalForm } from './canonical-form.ts'
import { fieldText, type PartHead } from './part-head.ts'

export interface FormField {
  name: string
  value: string
}

export interface FormFile {
  name: string
  /** The name that the client sent, not validated; `undefined` without one. */
  fileName: string | undefined
  /** The type that the client claims; `undefined` without one. */
  contentType: string | undefined
  body: AsyncIterable<Buffer>
  /** An upper bound of its size in bytes: the length of the whole form, if the form declares one. */
  atMost: number | undefined
}

export interface FormOptions {
  /** The only field name that a file may have. */
  fileField: string
  /** The only names that other fields may have. */
  fields: readonly string[]
}

/**
 * The parts of a `multipart/form-data` body (RFC 7578) up to its closing boundary, one after another, as they arrive. The caller
 * must read the body of a file before it requests the next part.
 * @param watch fails with the error that refuses the form, even while the body of a file is being read
 * @throws StowageError for a body that is not a form, exceeds a limit or ends early; the reason of `watch`
 */
export async function* readForm(
  request: FastifyRequest,
  config: Config,
  options: FormOptions,
  watch: BodyWatch,
): AsyncGenerator<FormField | FormFile, void, undefined> {
  const partCount = new PartCount(config)
  const boundary = boundaryOf(request)
  const form = new CanonicalForm({
    boundary,
    onHead: (head) => partCount.countPart(head),
    refuse(error) {
      watch.fail(error)
      // The parser then ends the current file, which will receive no more bytes.
      form.destroy()
    },
  })
  const translate = (error: unknown) =>
    watch.signal.aborted ? watch.signal.reason : isParserError(error) ? broken(error) : error
  request.raw.pipe(form)
  try {
    for await (const part of abortable(partsOf(viewOf(request, form, boundary), config), watch.signal)) {
      const head = form.takeHead()
      if (head?.isFile !== (part.type === 'file')) throw broken()
      if (part.type !== 'file') {
        yield fieldFrom(part as MultipartValue<string>, head, options)
        continue
      }
      const { file } = part
      try {
        partCount.countFile()
        yield { ...fileFrom(head, options), body: withTranslatedErrors(file, translate), atMost: formLengthOf(request) }
      } finally {
        // A part that is not read to its end would block the parser, and with it the request, forever.
        if (!file.readableEnded) file.destroy()
      }
    }
    if (!form.isWhole || form.takeHead() !== undefined) throw broken()
  } catch (error) {
    throw translate(error)
  } finally {
    request.raw.unpipe(form)
    form.destroy()
  }
}

function fileFrom({ name, fileName, contentType }: PartHead, { fileField }: FormOptions) {
  if (name !== fileField)
    throw new StowageError('invalid', `A file came under the name ${quoted(name)}. Name the field "${fileField}".`, {
      reason: `A file came under another name than "${fileField}".`,
    })
  return { name, fileName, contentType }
}

/** The bytes of `file`, whose error `translate` translates. */
function withTranslatedErrors(
  file: AsyncIterable<Buffer>,
  translate: (error: unknown) => unknown,
): AsyncIterable<Buffer> {
  return {
    [Symbol.asyncIterator]() {
      const chunks = file[Symbol.asyncIterator]()
      return {
        next: () =>
          chunks.next().catch((error) => {
            throw translate(error)
          }),
        return: async () => (await chunks.return?.()) ?? { done: true, value: undefined },
      }
    },
  }
}

/** Whether an error is the parser's own, which a canonical form should not cause. Some of these errors have no code, only a text. */
function isParserError(error: unknown): boolean {
  if (error instanceof StowageError) return false
  const { code, message } = error as Partial<FastifyError>
  return code?.startsWith('FST_') || /multipart|terminated early|Malformed part/i.test(message ?? '')
}

/** The declared length of the whole form in bytes, if any. */
function formLengthOf({ headers }: FastifyRequest): number | undefined {
  const length = headers['content-length']
  return length === undefined ? undefined : Number(length)
}

/**
 * Refuses a request without a form, before its body is read.
 * @throws StowageError `unsupported_media_type`; `invalid` for an invalid boundary
 */
export async function requireForm(request: FastifyRequest): Promise<void> {
  boundaryOf(request)
}

function boundaryOf({ headers }: FastifyRequest): string {
  const type = mimeType(headers['content-type'])
  if (type?.essence !== 'multipart/form-data')
    throw new StowageError('unsupported_media_type', 'Send the file as multipart/form-data.')
  const boundary = type.params.get('boundary')
  if (!boundary) throw new StowageError('invalid', 'The Content-Type names no boundary. Let your HTTP client set it.')
  if (boundary.length > limits.boundary)
    throw new StowageError(
      'invalid',
      `The boundary is longer than ${limits.boundary} characters (RFC 2046). Shorten it.`,
    )
  if (!/^[ !#-[\]-~]*$/.test(boundary))
    throw new StowageError('invalid', 'The boundary holds a character that none may hold (RFC 2046). Use letters.')
  return boundary
}

function mimeType(header: string | undefined): MIMEType | undefined {
  if (header === undefined || header.length > limits.text) return undefined
  try {
    return new MIMEType(header)
  } catch {
    return undefined
  }
}

/** The request for the parser, with the canonical form as its body and the Content-Type as its only header. */
function viewOf(request: FastifyRequest, form: CanonicalForm, boundary: string): FastifyRequest {
  const headers = { 'content-type': `multipart/form-data; boundary="${boundary}"` }
  return Object.create(request, { raw: { value: Object.assign(form, { headers }) } })
}

function partsOf(view: FastifyRequest, { maxFileSize, maxFilesPerRequest }: Config) {
  return view.parts({
    limits: {
      // One above our own limits: at its limit the parser truncates silently, so ours must be reached first.
      fileSize: maxFileSize + 1,
      files: maxFilesPerRequest + 1,
      fieldSize: limits.formField + 1,
      fields: maxFields(maxFilesPerRequest) + 1,
      parts: maxFields(maxFilesPerRequest) + maxFilesPerRequest + 2,
    },
  })
}

/** The limit on fields: two declarations for each file, and ten more for the whole form. */
function maxFields(maxFilesPerRequest: number): number {
  return 2 * maxFilesPerRequest + 10
}

/** Limits the number of parts of a form. */
class PartCount {
  readonly #max: { files: number; fields: number }
  #files = 0
  #fields = 0

  constructor({ maxFilesPerRequest }: Config) {
    this.#max = { files: maxFilesPerRequest, fields: maxFields(maxFilesPerRequest) }
  }

  /** Counts a part on arrival. A part that is not a file, or is an unfilled file input, counts as a field. */
  countPart({ isFile, fileName }: PartHead): void {
    if (!isFile || fileName === '') this.#fields += 1
    if (this.#fields > this.#max.fields)
      throw new StowageError('too_large', `More than ${this.#max.fields} fields. Send only the documented ones.`)
  }

  /** Counts a file when it is read. */
  countFile(): void {
    this.#files += 1
    if (this.#files > this.#max.files)
      throw new StowageError('too_large', `More than ${this.#max.files} files. Send them in several requests.`)
  }
}

function fieldFrom({ value }: MultipartValue<string>, head: PartHead, options: FormOptions): FormField {
  const { name } = head
  const { fileField, fields } = options
  if (name === fileField)
    throw new StowageError(
      'invalid',
      `The field "${fileField}" holds text, not a file. With curl, put an @ before the path: -F ${fileField}=@photo.png`,
    )
  if (!fields.includes(name))
    throw new StowageError(
      'invalid',
      `A field has a name that is not allowed: ${quoted(name)}. Send only ${fields.join(', ')}.`,
      { reason: 'A field has a name that is not allowed.' },
    )
  return { name, value: fieldText(head, value) }
}

function broken(cause?: unknown): StowageError {
  const message = 'The multipart body is broken or ends before its closing boundary. Send it again.'
  return new StowageError('invalid', message, { cause })
}
