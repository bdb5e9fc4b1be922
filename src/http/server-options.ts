import { randomUUID } from 'node:crypto'
import type { FastifyServerOptions } from 'fastify'
import { limits } from '#domain/limits.ts'

/** Fastify options: how connections are closed, and the limits of URLs and bodies. */
export const connectionOptions = {
  // A transfer in progress may finish. An idle connection is closed at once.
  forceCloseConnections: 'idle',
  return503OnClosing: false,
  routerOptions: { maxParamLength: limits.pathPart },
  bodyLimit: limits.plainBody,
  genReqId: () => randomUUID(),
} satisfies FastifyServerOptions

type Formatter = NonNullable<FastifyServerOptions['schemaErrorFormatter']>
type ValidationError = Parameters<Formatter>[0][number] & { data?: unknown }

/** Requests are validated without converting or removing a value. */
export const validationOptions = {
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, verbose: true } },
  schemaErrorFormatter: (errors, place) => new Error(errors.map((error) => describeError(error, place)).join(', ')),
} satisfies FastifyServerOptions

/** Describes a validation error without quoting the value. A text over its limit is described by its length. */
function describeError({ keyword, instancePath, message, params, data }: ValidationError, place: string): string {
  const where = `${place}${instancePath}`
  if (keyword !== 'maxLength' || typeof data !== 'string') return `${where} ${message}`
  return `${where} has ${[...data].length} characters; at most ${params.limit} are taken`
}
