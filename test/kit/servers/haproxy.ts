import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePort } from '#dev/free-port.ts'
import { adapted, type LoadBalancer, type LoadBalancerOptions, replicaLines } from './load-balancer.ts'
import { startServer } from './server.ts'

/** HAProxy with deploy/haproxy/haproxy.cfg, where only addresses and its own user differ. Its log is `haproxy.log`. */
export async function startHaproxy({ directory, upstreams }: LoadBalancerOptions): Promise<LoadBalancer> {
  const [port, healthPort] = [await findFreePort(), await findFreePort()]
  const file = join(directory, 'haproxy.cfg')
  await writeFile(file, (await haproxyConfig({ upstreams, port })) + health(healthPort))
  const stop = await startServer({
    command: 'haproxy',
    args: ['-db', '-f', file],
    healthUrl: `http://127.0.0.1:${healthPort}`,
    logFile: join(directory, 'haproxy.log'),
  })
  return { url: `http://127.0.0.1:${port}`, stop }
}

export function haproxyConfig({ upstreams, port }: { upstreams: string[]; port: number }): Promise<string> {
  return adapted('haproxy/haproxy.cfg', [
    replicaLines(upstreams),
    [/ +user haproxy\n +group haproxy\n/, () => ''],
    [/bind :80$/m, () => `bind 127.0.0.1:${port}`],
  ])
}

/** Answers for HAProxy itself, whatever its replicas do. */
const health = (port: number) => `
frontend health
    bind 127.0.0.1:${port}
    http-request return status 200
`
