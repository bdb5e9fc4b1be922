import type { FastifyRequest } from 'fastify'
import { actorOf } from '#domain/principal.ts'
import type { UploadRequest } from '#uploads/incoming-file.ts'
import type { BodyWatch } from './request-body/body-watch.ts'

/** The uploader's view of a request whose body is being watched. */
export function uploadRequestOf({ principal, id }: FastifyRequest, { signal }: BodyWatch): UploadRequest {
  return { actor: actorOf(principal), credential: principal.credential, signal, requestId: id }
}
