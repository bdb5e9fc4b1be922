import type { Test } from 'tap'
import { startTestServer, type TestServer, type TestServerOptions } from './server.ts'
import { openTcpLine, type TcpLine, type TcpLineOptions } from './tcp-line.ts'

/** A server whose database, for the test too, is reached through a line. */
export async function startBehindLine(
  t: Test,
  options: TestServerOptions,
  lineOptions?: TcpLineOptions,
): Promise<{ server: TestServer; line: TcpLine }> {
  const direct = process.env.TEST_DATABASE_URL ?? ''
  const line = await openTcpLine(t, direct, lineOptions)
  process.env.TEST_DATABASE_URL = line.url
  try {
    return { server: await startTestServer(t, options), line }
  } finally {
    process.env.TEST_DATABASE_URL = direct
  }
}
