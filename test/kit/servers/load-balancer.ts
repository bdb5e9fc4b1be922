import { readFile } from 'node:fs/promises'

/** A load balancer as deploy/ configures it. */
export interface LoadBalancer {
  url: string
  stop(): Promise<void>
}

export interface LoadBalancerOptions {
  /** An existing folder of its own: everything it reads and writes is in there. */
  directory: string
  /** The replicas, as `host:port`. They may start later. */
  upstreams: string[]
}

/** What takes the place of something in a file of deploy/. */
export type Change = [place: RegExp, ours: (found: string) => string]

/** Changes a file of deploy/ as far as this machine needs; a place that is not there any more is an error. */
export async function adapted(path: string, changes: Change[]): Promise<string> {
  let text = await readFile(new URL(`../../../deploy/${path}`, import.meta.url), 'utf8')
  for (const [place, ours] of changes) {
    if (text.search(place) === -1) throw new Error(`deploy/${path} has nothing like ${place}`)
    text = text.replace(place, ours)
  }
  return text
}

/** The lines of the file's two replicas, for others with the same parameters. */
export function replicaLines(upstreams: string[]): Change {
  const first = (lines: string) => lines.slice(0, lines.indexOf('\n') + 1)
  const line = (lines: string) => (address: string, index: number) =>
    first(lines)
      .replace('stowage-1:3000', address)
      .replace('stowage-1', `stowage-${index + 1}`)
  return [/( +server .*stowage-\d:3000.*\n){2}/, (lines) => upstreams.map(line(lines)).join('')]
}
