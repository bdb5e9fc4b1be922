import { join } from 'node:path'
import { findFreePort } from '#dev/free-port.ts'
import { findOrBuild, toxiproxy } from '../../kit/servers/go-program.ts'
import { startServer } from '../../kit/servers/server.ts'

/** What Toxiproxy does to a connection; its README lists the types and their attributes. */
export interface Toxic {
  type: 'latency' | 'bandwidth' | 'timeout' | 'limit_data' | 'reset_peer'
  /** Towards the store or the database, or back from it. */
  stream: 'upstream' | 'downstream'
  attributes: Record<string, number>
  /** The share of the connections that it is done to; all of them unless named. */
  toxicity?: number
}

/**
 * The line between the replicas and the store, or the database, which can be made a bad one. It is Toxiproxy and not the TCP
 * line of test/kit: it runs in a process of its own, spoils a share of the connections, limits their bytes, and can be led
 * to another server.
 */
export interface Line {
  /** The store, by way of the line. A database is at its host. */
  endpoint: string
  /** Lets the line end somewhere else; connections are cut. */
  leadTo(endpoint: string): Promise<void>
  spoil(toxics: Toxic[]): Promise<void>
  /** Breaks connections, and refuses others. */
  refuse(): Promise<void>
  /** Every line is a good one again. */
  heal(): Promise<void>
}

export interface LineServer extends AsyncDisposable {
  open(name: string, endpoint: string): Promise<Line>
}

export async function startLines(directory: string): Promise<LineServer> {
  const command = await findOrBuild(toxiproxy, console.error)
  if (command === undefined)
    throw new Error(
      `The crash suite needs ${toxiproxy.name} on the PATH, or Go to build it: go install ${toxiproxy.module}`,
    )
  const port = await findFreePort()
  const control = `http://127.0.0.1:${port}`
  const stop = await startServer({
    command,
    args: ['-host', '127.0.0.1', '-port', String(port)],
    env: { LOG_LEVEL: 'error' },
    healthUrl: `${control}/version`,
    logFile: join(directory, 'toxiproxy.log'),
  })
  return {
    open: (name, endpoint) => open(control, name, endpoint),
    [Symbol.asyncDispose]: stop,
  }
}

async function open(control: string, name: string, endpoint: string): Promise<Line> {
  const listen = `127.0.0.1:${await findFreePort()}`
  const described = (to: string) => ({ name, listen, upstream: new URL(to).host, enabled: true })
  const path = `/proxies/${name}`
  await tell(control, '/proxies', described(endpoint))
  return {
    endpoint: `http://${listen}`,
    leadTo: (to) => tell(control, path, described(to)),
    async spoil(toxics) {
      for (const toxic of toxics) await tell(control, `${path}/toxics`, toxic)
    },
    refuse: () => tell(control, path, { enabled: false }),
    heal: () => tell(control, '/reset', {}),
  }
}

async function tell(control: string, path: string, body: object): Promise<void> {
  const response = await fetch(control + path, { method: 'POST', body: JSON.stringify(body) })
  const text = await response.text()
  if (!response.ok) throw new Error(`Toxiproxy answered ${response.status} to ${path}: ${text}`)
}
