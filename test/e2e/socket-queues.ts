import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { until } from '../kit/until.ts'

/** Resolves when the server's process has read all that these connections to it have sent. Linux alone tells. */
export async function allTaken(sockets: Socket[]): Promise<void> {
  // Both ends of each: ours has nothing left to send, and in the server's nothing waits to be read.
  const ends = new Set(
    sockets.flatMap(({ localPort, remotePort }) => [`${localPort} ${remotePort}`, `${remotePort} ${localPort}`]),
  )
  const isTaken = async () =>
    (await openEnds()).filter(({ ports, isEmpty }) => isEmpty && ends.has(ports)).length === ends.size
  await until('the server has taken what was sent', isTaken, 40)
}

/** The ends of connections on this machine: their two ports, and whether nothing waits in their queues. */
async function openEnds(): Promise<{ ports: string; isEmpty: boolean }[]> {
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').slice(1, -1)
  return lines.map((line) => {
    const [, local = '', remote = '', , queues = ''] = line.trim().split(/\s+/)
    return { ports: `${portOf(local)} ${portOf(remote)}`, isEmpty: /^0+:0+$/.test(queues) }
  })
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16)
}
