import type { Digest } from '#domain/digests.ts'
import type { Credential } from '#domain/principal.ts'
import type { Attachment } from '#persistence/schema.ts'

/** A client's declaration of a file, sent before the bytes or with them. */
export interface FileDeclaration {
  messageId: number
  uploaderId: number
  /** The name that the client sent, not validated. */
  fileName: string | undefined
  /** The media type that the client claims. */
  contentType: string | undefined
  /** In bytes, when the client declares the size. */
  declaredSize?: number | undefined
  /** Lower-case hex in the configured algorithm, when the client declares it. */
  declaredChecksum?: string | undefined
}

/** A file that becomes a new attachment. */
export interface NewFile extends FileDeclaration {
  /** The bytes, read once. */
  body: AsyncIterable<Buffer>
  /** Upper limit of the body in bytes, when it is known and `declaredSize` is not. */
  atMost?: number | undefined
}

/** The bytes of a reserved attachment. */
export interface ReservedFile {
  attachment: Attachment
  /** In bytes. */
  declaredSize: number
  /** The media type that the client claims. It counts only when the reservation names no type. */
  contentType: string | undefined
  /** Digests declared with the bytes, besides the reserved one. */
  digests: readonly Digest[]
  /** The bytes, read once and not before the attempt has started. */
  body: AsyncIterable<Buffer>
}

/** A file of an upload request. Its bytes are a part of a form or a raw body. */
export type IncomingFile = NewFile | ReservedFile

/** A request that uploads files. Either all of them become Ready, or none. */
export interface UploadRequest {
  /** The user recorded in the history. */
  actor: string
  /** The token or session of the request. If it ends before the last byte is stored, no file becomes Ready. */
  credential: Credential
  /** Aborts the transfer while bytes arrive. After the last byte is stored, a disconnect has no effect. */
  signal: AbortSignal
  /** The request's id in the logs. */
  requestId: string
}
