import type { AddressInfo } from 'node:net'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { Config } from '#config/config.ts'
import type { Principal } from '#domain/principal.ts'
import type { FoundAttachment } from '#persistence/queries.ts'

/** The Fastify instance that routes are added to. TypeBox schemas give the types of a request. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

declare module 'fastify' {
  interface FastifyRequest {
    /** The authenticated user, set by the surface's authentication before any handler runs. */
    principal: Principal
    /** The message to which an upload attaches files, when the path names it. It is looked up before the body is read. */
    messageId: number
    /** The attachment that an upload fills, when the path names it. It is looked up before the body is read. */
    attachment: FoundAttachment
  }
  interface FastifyInstance {
    /** Resolves when no upload is in progress and the failure of every aborted upload is recorded. */
    uploadsEnded?(): Promise<void>
  }
  interface FastifyContextConfig {
    /** The route reads its body as a stream and times out a silent client itself. */
    readsBodyAsStream?: boolean
  }
}

/** `PUBLIC_URL`, else localhost with the port that the server listens on. */
export function publicUrlOf({ server }: App, { publicUrl, port }: Config): () => string {
  return () => {
    if (publicUrl !== undefined) return publicUrl
    const address = server.address() as AddressInfo | null
    return `http://localhost:${address?.port ?? port}`
  }
}
