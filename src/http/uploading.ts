import type { FastifyRequest } from 'fastify'
import { actorOf } from '../access/principal.ts'
import type { Uploading } from '../lifecycle/upload.ts'

/** What the lifecycle is told of a request that uploads. */
export function uploadingOf({ principal, id }: FastifyRequest, signal: AbortSignal): Uploading {
  return { actor: actorOf(principal), credential: principal.credential, signal, requestId: id }
}
