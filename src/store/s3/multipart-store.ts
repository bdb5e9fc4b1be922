import { StowageError } from '#domain/errors.ts'
import { sessionNotFound } from '#store/errors.ts'
import type { MultipartStore } from '#store/multipart-store.ts'
import { assertPart, assertPartSize, orderParts } from '#store/part-rules.ts'
import { rootCause } from './advice.ts'
import type { S3Bucket } from './bucket.ts'
import { translateError } from './errors.ts'
import { completeUpload, createUpload, sendPart } from './multipart.ts'
import { minimumPartSize } from './part-size.ts'
import { abortUpload } from './remove.ts'
import { sendSized, transfer } from './transfer.ts'

const never = new AbortController().signal

/** Multipart sessions on a bucket: S3's multipart uploads. */
export function openS3Multipart(store: S3Bucket): MultipartStore {
  return {
    minimumPartSize,

    async create(key, { partSize }) {
      assertPartSize(partSize, { minimum: minimumPartSize, maximum: store.largestRequest })
      return await createUpload(store, key, partSize)
    },

    async putPart(session, number, body, { size, signal }) {
      assertPart(session, { number, size })
      const sent = transfer(body, signal, async (running) => {
        running.signal.throwIfAborted()
        return await sendSized(store, running, size, (payload) =>
          sendPart(store, session, number, payload, running.signal),
        )
      })
      return await sent.catch(explainMissingSession)
    },

    async complete(session, parts, { signal = never } = {}) {
      const ordered = orderParts(session, parts)
      signal.throwIfAborted()
      return await completeUpload(store, session, ordered, signal).catch(explainMissingSession)
    },

    async abort({ key, uploadId }, { signal = never } = {}) {
      await abortUpload(store, key, uploadId, { signal }).catch((error) => {
        throw translateError(error, signal)
      })
    },
  }
}

/** @throws StowageError `not_found` when the store has no such upload; else the error as it is */
function explainMissingSession(error: unknown): never {
  const isMissing = error instanceof StowageError && rootCause(error).name === 'NoSuchUpload'
  throw isMissing ? sessionNotFound(error) : error
}
