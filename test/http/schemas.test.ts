import { subscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, RouteOptions } from 'fastify'
import t from 'tap'
import { limits } from '#domain/limits.ts'
import { isBearerError } from '../kit/bearer-api.ts'
import { isError, Session } from '../kit/cookie-api.ts'
import { send } from '../kit/http-client.ts'
import { startTestServer } from '../kit/server.ts'

/** A JSON schema, as far as TypeBox writes it for routes. */
interface Schema {
  type?: string
  enum?: unknown[]
  const?: unknown
  maxLength?: number
  maxItems?: number
  items?: Schema
  properties?: Record<string, Schema>
  anyOf?: Schema[]
}

/** Where in a schema something has no end. */
function endless(schema: Schema, place: string): string[] {
  const { type, properties = {}, anyOf = [], items, maxLength, maxItems } = schema
  const isOneOf = schema.enum !== undefined || schema.const !== undefined
  return [
    ...(type === 'string' && !isOneOf && maxLength === undefined ? [`${place} has no maxLength`] : []),
    ...(type === 'array' && maxItems === undefined ? [`${place} has no maxItems`] : []),
    ...(items ? endless(items, `${place}[]`) : []),
    ...anyOf.flatMap((choice) => endless(choice, place)),
    ...Object.entries(properties).flatMap(([name, property]) => endless(property, `${place}.${name}`)),
  ]
}

t.test('every string and every list that a route takes has an end', async (t) => {
  const routes: RouteOptions[] = []
  const note = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', (route) => void routes.push(route))
  }
  subscribe('fastify.initialization', note)
  await startTestServer(t, { store: 'disk' })
  t.ok(routes.length > 30, 'the routes were seen')
  for (const { method, url, schema = {} } of routes) {
    const { params, querystring, headers, body } = schema as Record<string, Schema>
    const found = Object.entries({ params, querystring, headers, body }).flatMap(([place, part]) =>
      part ? endless(part, place) : [],
    )
    t.strictSame(found, [], `${method} ${url}`)
    const named = [...url.matchAll(/:(\w+)/g)].map(([, name]) => name)
    if (params) t.strictSame(Object.keys(params.properties ?? {}), named, `${url}: the parts of the address are named`)
  }
  t.strictSame(endless({ type: 'array', items: { anyOf: [{ type: 'string' }] } }, 'x'), [
    'x has no maxItems',
    'x[] has no maxLength',
  ])
})

t.test('what is too long is told how long it is, and not repeated', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 1)
  const longest = { fileName: 'a'.repeat(limits.fileName), contentType: `text/${'x'.repeat(limits.contentType - 5)}` }
  t.equal((await session.announce({ ...longest, fileSize: 1 })).status, 201)
  const tooLong: [fields: Record<string, unknown>, text: RegExp][] = [
    [{ fileName: 'a'.repeat(256) }, /longer than 255 bytes: it has 256/],
    [{ fileName: 'a'.repeat(1025) }, /body\/fileName has 1025 characters; at most 1024 are taken/],
    [{ contentType: `${longest.contentType}x` }, /body\/contentType has 256 characters; at most 255 are taken/],
    [{ fileChecksum: 'a'.repeat(1025) }, /body\/fileChecksum has 1025 characters/],
    [{ fileChecksum: 'a'.repeat(1024) }, /sha256 in 64 hex digits/],
  ]
  for (const [fields, text] of tooLong) await isError(t, await session.announce({ fileSize: 1, ...fields }), 400, text)
})

t.test('bodies that are nested, poisoned or none', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const session = await Session.of(server, 1)
  const admin = await server.bearer(1, ['admin'])
  const bodies = [
    '['.repeat(16_000),
    `${'['.repeat(8_000)}${']'.repeat(8_000)}`,
    `{"memberIds":${'['.repeat(8_000)}${']'.repeat(8_000)}}`,
    `${'{"fileName":'.repeat(1_000)}1${'}'.repeat(1_000)}`,
    '{"__proto__":{"fileName":"a"},"fileSize":1}',
    '{"constructor":{"prototype":{}},"fileSize":1}',
    '{"fileName":"a","fileName":{}}',
    '"\\ud800"',
    'nul',
  ]
  const headers = { 'content-type': 'application/json' }
  for (const body of bodies) {
    await isError(
      t,
      await session.ask('POST', '/attachments', { headers, body }),
      400,
      /not as documented|cannot be read/,
    )
    const put = await fetch(`${server.url}/v1/rooms/5`, { method: 'PUT', headers: { ...admin, ...headers }, body })
    await isBearerError(t, put, 400, 'invalid_request_error', body.slice(0, 40))
  }
  await isBearerError(t, await send(server, 'PUT', '/v1/rooms/5', admin, []), 400, 'invalid_request_error')
})
