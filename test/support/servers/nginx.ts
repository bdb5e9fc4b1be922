import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePort } from '../../../src/embedded/postgres-port.ts'
import { adapted, type LoadBalancer, type LoadBalancerOptions, replicaLines } from './load-balancer.ts'
import { startServer } from './server.ts'

/** nginx with deploy/nginx/stowage.conf, where only addresses and paths differ. What it would buffer lies in `temporary/`. */
export async function startNginx({ directory, upstreams }: LoadBalancerOptions): Promise<LoadBalancer> {
  const [port, healthPort] = [await findFreePort(), await findFreePort()]
  await mkdir(join(directory, 'temporary'), { recursive: true })
  await writeFile(join(directory, 'stowage.conf'), await nginxSite({ directory, upstreams, port }))
  await writeFile(join(directory, 'nginx.conf'), nginxMain(directory, healthPort))
  const stop = await startServer({
    command: 'nginx',
    args: nginxArgs(directory),
    healthUrl: `http://127.0.0.1:${healthPort}`,
    logFile: join(directory, 'nginx.log'),
  })
  return { url: `http://127.0.0.1:${port}`, stop }
}

export function nginxSite({ directory, upstreams, port }: LoadBalancerOptions & { port: number }): Promise<string> {
  return adapted('nginx/stowage.conf', [
    replicaLines(upstreams),
    [/listen 80;/, () => `listen 127.0.0.1:${port};`],
    [/\/var\/log\/nginx\/access\.log/, () => join(directory, 'access.log')],
  ])
}

/** What an installed nginx brings along: the file that includes those in conf.d. */
export function nginxMain(directory: string, healthPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (what) => `${what}_temp_path ${join(directory, 'temporary', what)};`,
  )
  return `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off;
    worker_processes 2;
    pid ${join(directory, 'nginx.pid')};
    error_log ${join(directory, 'error.log')} info;
    events {}
    http {
      ${temporary.join('\n')}
      server { listen 127.0.0.1:${healthPort}; access_log off; location / { return 200; } }
      include ${join(directory, 'stowage.conf')};
    }`
}

export function nginxArgs(directory: string): string[] {
  return ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', join(directory, 'error.log')]
}
