import type { Digest } from '#domain/digests.ts'
import type { Credential } from '#domain/principal.ts'
import type { Attachment } from '#persistence/schema.ts'

/** A file as its client announces it, before or with its bytes. */
export interface FileDeclaration {
  messageId: number
  uploaderId: number
  /** As the client sent it, unchecked. */
  fileName: string | undefined
  /** As the client claims it. */
  contentType: string | undefined
  /** Bytes, when the client declares them. */
  declaredSize?: number | undefined
  /** Lower-case hex in the configured algorithm, when the client declares it. */
  declaredChecksum?: string | undefined
}

/** A file that becomes a new attachment. */
export interface NewFile extends FileDeclaration {
  /** Its bytes, read once. */
  body: AsyncIterable<Buffer>
  /** The most bytes the body can have, when they are known and `declaredSize` is not. */
  atMost?: number | undefined
}

/** The bytes of an attachment that was reserved before. */
export interface ReservedFile {
  attachment: Attachment
  /** Bytes. */
  declaredSize: number
  /** As the client claims it. The claim counts only where the reservation names no type. */
  contentType: string | undefined
  /** Digests declared with the bytes, besides the reserved one. */
  digests: readonly Digest[]
  /** The bytes, read once. Nothing is read before the attempt has started. */
  body: AsyncIterable<Buffer>
}

/** A file that a request brings, however its bytes arrive: as a part of a form, or as a raw body. */
export type IncomingFile = NewFile | ReservedFile

/** The request that brings files. They become Ready together or not at all. */
export interface UploadRequest {
  /** The user in the history. */
  actor: string
  /** The token or session of the request. When it ends before the last byte is stored, nothing becomes Ready. */
  credential: Credential
  /** Aborts the transfer while bytes arrive. Once they are stored, a client that leaves changes nothing. */
  signal: AbortSignal
  /** The request's id in the logs. */
  requestId: string
}
