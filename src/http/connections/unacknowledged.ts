import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'

/** One for each address family; a container sees its own. */
const tables = ['/proc/net/tcp', '/proc/net/tcp6']

/**
 * The bytes of each connection that the kernel holds and the other side has not acknowledged. The kernel takes megabytes before
 * it makes a writer wait, and then a third of them at once: by the count of written bytes alone, a client that reads 20 kB a
 * second would seem to read nothing for a minute. Without these tables, which only Linux has, the count is 0.
 */
export async function unacknowledged(): Promise<(socket: Socket) => number> {
  const queues = new Map<string, number>()
  for (const table of tables) {
    const text = await readFile(table, 'latin1').catch(() => '')
    for (const line of text.split('\n').slice(1)) addLine(queues, line)
  }
  return (socket) => queues.get(keyOf(socket)) ?? 0
}

/** A line such as `0: 0100007F:1F90 0100007F:A5C4 01 00000010:00000000 …`: both ends, the state, bytes to be sent and to be read. */
function addLine(queues: Map<string, number>, line: string): void {
  const [, local, remote, , queue] = line.trim().split(/ +/, 5)
  if (local === undefined || remote === undefined || queue === undefined) return
  const port = local.slice(-4)
  // The last 32 bits of an address tell its connections apart: the ports are compared too.
  queues.set(`${port} ${remote.slice(-13)}`, Number.parseInt(queue, 16))
}

function keyOf({ localPort = 0, remotePort = 0, remoteAddress = '' }: Socket): string {
  return `${hex(localPort, 4)} ${lastBits(remoteAddress)}:${hex(remotePort, 4)}`
}

/** The last 32 bits of an address as the tables write them: the bytes of an IPv4 address backwards. */
function lastBits(address: string): string {
  const [host = ''] = address.split('%')
  const octets = host.includes('.')
    ? host
        .slice(host.lastIndexOf(':') + 1)
        .split('.')
        .map(Number)
    : lastOctets(host)
  return octets
    .reverse()
    .map((octet) => hex(octet, 2))
    .join('')
}

function lastOctets(address: string): number[] {
  const groups = address.split(':').slice(-2)
  return groups.flatMap((group) => {
    const bits = Number.parseInt(group || '0', 16)
    return [bits >> 8, bits & 255]
  })
}

function hex(number: number, digits: number): string {
  return number.toString(16).toUpperCase().padStart(digits, '0')
}
