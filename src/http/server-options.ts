import { randomUUID } from 'node:crypto'
import type { FastifyServerOptions } from 'fastify'
import { limits } from '#domain/limits.ts'

/** For Fastify: how connections are ended, and the limits of addresses and bodies. */
export const connectionOptions = {
  // Transfers under way are let finish; idle connections are closed at once.
  forceCloseConnections: 'idle',
  return503OnClosing: false,
  routerOptions: { maxParamLength: limits.pathPart },
  bodyLimit: limits.plainBody,
  genReqId: () => randomUUID(),
} satisfies FastifyServerOptions

type Formatter = NonNullable<FastifyServerOptions['schemaErrorFormatter']>
type Refused = Parameters<Formatter>[0][number] & { data?: unknown }

/** Requests are validated as they are written: nothing is converted or left out. */
export const validationOptions = {
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, verbose: true } },
  schemaErrorFormatter: (errors, place) => new Error(errors.map((error) => told(error, place)).join(', ')),
} satisfies FastifyServerOptions

/** Names the length of a text that is too long; quotes nothing that was sent. */
function told({ keyword, instancePath, message, params, data }: Refused, place: string): string {
  const where = `${place}${instancePath}`
  if (keyword !== 'maxLength' || typeof data !== 'string') return `${where} ${message}`
  return `${where} has ${[...data].length} characters; at most ${params.limit} are taken`
}
