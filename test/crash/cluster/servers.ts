import { startS3 } from '../../kit/servers/minio.ts'
import type { StoreAccess } from './bucket.ts'
import { type LineServer, startLines } from './line.ts'
import { type CrashingPostgres, startCrashingPostgres } from './postgres.ts'

/** What all campaigns share. */
export interface Servers extends AsyncDisposable {
  directory: string
  signal: AbortSignal
  postgres: CrashingPostgres
  store: StoreAccess
  lines: LineServer
}

/** @throws Error saying what is missing on this machine */
export async function startServers(directory: string, signal: AbortSignal): Promise<Servers> {
  await using started = new AsyncDisposableStack()
  const s3 = await startS3(directory, console.error)
  if (s3 === undefined) throw new Error('No S3 server: install Go, MinIO or Docker, or set S3_ENDPOINT and its keys')
  started.defer(() => s3.stop())
  const postgres = started.use(await startCrashingPostgres(directory, signal))
  const lines = started.use(await startLines(directory))
  const running = started.move()
  return { directory, signal, postgres, store: s3.access, lines, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
