import type { FastifyRequest } from 'fastify'
import { actorOf } from '#domain/principal.ts'
import type { UploadRequest } from '#uploads/upload.ts'

/** What the lifecycle is told of a request that uploads. */
export function uploadingOf({ principal, id }: FastifyRequest, signal: AbortSignal): UploadRequest {
  return { actor: actorOf(principal), credential: principal.credential, signal, requestId: id }
}
