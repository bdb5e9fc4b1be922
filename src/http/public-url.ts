import type { AddressInfo } from 'node:net'
import type { Config } from '#config/config.ts'
import type { App } from './app.ts'

/** `PUBLIC_URL`, else the address that is listened on. */
export function publicUrlOf({ server }: App, { publicUrl, port }: Config): () => string {
  return () => {
    if (publicUrl !== undefined) return publicUrl
    const address = server.address() as AddressInfo | null
    return `http://localhost:${address?.port ?? port}`
  }
}
