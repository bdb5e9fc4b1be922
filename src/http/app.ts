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

/** The server as routes see it: schemas in TypeBox give the types. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by a surface's authentication before any handler runs. */
    principal: Principal
    /** The message that files come to, where the address names it: looked up before their first byte is read. */
    messageId: number
    /** The attachment whose bytes come, likewise. */
    attachment: FoundAttachment
  }
  interface FastifyInstance {
    /** Resolves when no upload is under way and the failure of each one that was cut off is written down. */
    uploadsEnded?(): Promise<void>
  }
  interface FastifyContextConfig {
    /** The route reads its body as a stream, and itself gives up a client that falls silent. */
    readsBodyAsStream?: boolean
  }
}

/** `PUBLIC_URL`, else the address that is listened on. */
export function publicUrlOf({ server }: App, { publicUrl, port }: Config): () => string {
  return () => {
    if (publicUrl !== undefined) return publicUrl
    const address = server.address() as AddressInfo | null
    return `http://localhost:${address?.port ?? port}`
  }
}
