import type { Test } from 'tap'
import { metric } from '../../kit/metric.ts'
import type { TestServer } from '../../kit/server.ts'
import { connectionsOf } from '../../kit/server-resources.ts'
import { until } from '../../kit/until.ts'

/** Sends a byte on each connection again and again, for as long as it lasts or until the test ends. */
export function drip(t: Test, sockets: { write(bytes: string): unknown; destroyed: boolean }[], every: number): void {
  const timer = setInterval(() => {
    for (const socket of sockets) if (!socket.destroyed) socket.write('x')
  }, every)
  t.teardown(() => clearInterval(timer))
}

/** Asserts that an attack has left nothing: no slot, no connection, no upload that goes on, no byte of what has failed. */
export async function isQuiet(t: Test, server: TestServer): Promise<void> {
  const uploading = 'UploadFromClientToServerInProgress'
  for (const kind of ['uploads', 'downloads'])
    await until(`no ${kind}`, async () => (await metric(server, `stowage_${kind}_in_progress`)) === 0)
  await until('no upload goes on', async () => !(await server.states())[uploading])
  await until('the store holds what is Ready, and nothing else', async () => {
    const [{ objects, uploads }, states] = [await server.remains(), await server.states()]
    return uploads.length === 0 && objects.length === (states.ReadyForDownloadFromServerToClient ?? 0)
  })
  await until('no connection', async () => (await connectionsOf(server)) === 0)
  t.pass('no slot, no upload, no byte and no connection is left')
}
