import { sql } from 'drizzle-orm'
import { attach } from '../../kit/bearer-api.ts'
import type { TestServer } from '../../kit/server.ts'

/** An address that serves the bytes of an attachment. */
export interface Address {
  /** Which route it is. */
  route: 'cookie route' | 'file_url'
  url: string
  headers: Record<string, string>
}

export interface Uploaded {
  /** The integer id. */
  id: number
  /** The string id. */
  publicId: string
  /** Both routes that serve its bytes. */
  addresses: [Address, Address]
}

/** Uploads a file as user 2 and tells where it downloads from. */
export async function upload(server: TestServer, file: File): Promise<Uploaded> {
  const { id: publicId, filename, file_url } = await attach(server, await server.bearer(2), file)
  const [row] = await server.db.execute<{ id: string }>(sql`select id from attachments where public_id = ${publicId}`)
  const id = Number(row?.id)
  const { pathname, search } = new URL(file_url)
  return {
    id,
    publicId,
    addresses: [
      {
        route: 'cookie route',
        url: `${server.url}/api/v1/attachments/${id}/${encodeURIComponent(filename)}`,
        headers: await server.cookie(2),
      },
      { route: 'file_url', url: server.url + pathname + search, headers: {} },
    ],
  }
}

/** GET, or another method, with headers on top. */
export function get({ url, headers }: Address, more: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  return fetch(url, { method, headers: { ...headers, ...more } })
}
