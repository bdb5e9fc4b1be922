import type { Readable } from 'node:stream'
import type { AppContext } from '#deps.ts'
import type { Attachment } from '#persistence/transitions.ts'
import type { FileDeclaration } from './reserve.ts'
import { startNew } from './start-attempt.ts'
import { type UploadRequest, upload } from './upload.ts'

/** A file that was not announced before the request that brings it. */
export interface NewFile extends Omit<FileDeclaration, 'actor'> {
  body: Readable
  /** Bytes of the form it comes with, when they are known. */
  atMost: number | undefined
}

export type ReceiveNew = (file: NewFile) => Promise<void>

/**
 * Uploads files that come with a form, each a new attachment.
 * @param receiveAll brings the files, one after another
 * @returns the attachments, Ready, in the order they were brought
 * @throws StowageError as `upload` does
 */
export function uploadNew(
  deps: AppContext,
  uploading: UploadRequest,
  receiveAll: (receive: ReceiveNew) => Promise<void>,
): Promise<Attachment[]> {
  const { actor, requestId } = uploading
  return upload(deps, uploading, (receive) =>
    receiveAll(({ body, atMost, ...announced }) =>
      receive({ begin: () => startNew(deps, { ...announced, actor }, requestId), openBody: () => body, atMost }),
    ),
  )
}
