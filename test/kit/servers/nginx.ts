import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePort } from '#dev/free-port.ts'
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

const installed = '/etc/nginx/nginx.conf'

/** Where the installed file has none of its own: the least that includes those in conf.d. */
const least = `
  user www-data;
  pid /run/nginx.pid;
  error_log /var/log/nginx/error.log;
  events {}
  http {
    gzip on;
    include /etc/nginx/conf.d/*.conf;
  }`

/**
 * What an installed nginx brings along, the distribution's own file where it includes those in conf.d, with every line for
 * compression that it only suggests: what it sets for all sites must not harm ours. Addresses and paths differ.
 */
export function nginxMain(directory: string, healthPort: number): string {
  const found = existsSync(installed) ? readFileSync(installed, 'utf8') : least
  const text = /include \/etc\/nginx\/conf\.d/.test(found) && !/^\s*listen/m.test(found) ? found : least
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (what) => `${what}_temp_path ${join(directory, 'temporary', what)};`,
  )
  const sites = [
    ...temporary,
    `server { listen 127.0.0.1:${healthPort}; access_log off; location / { return 200; } }`,
    `include ${join(directory, 'stowage.conf')};`,
  ]
  const main = text
    .replace(/^\s*user .*;/m, process.getuid?.() === 0 ? 'user root;' : '')
    .replace(/^\s*pid .*;/m, `pid ${join(directory, 'nginx.pid')};`)
    .replace(/^\s*error_log .*;/m, `error_log ${join(directory, 'error.log')} info;`)
    .replace(/^\s*access_log .*;/m, 'access_log off;')
    .replace(/^(\s*)# (gzip_)/gm, '$1$2')
    .replace(/^\s*include \/etc\/nginx\/sites-enabled\/.*;/m, '')
    .replace(/include \/etc\/nginx\/conf\.d\/\*\.conf;/, () => sites.join('\n'))
  return `daemon off;\n${main}`
}

export function nginxArgs(directory: string): string[] {
  return ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', join(directory, 'error.log')]
}
