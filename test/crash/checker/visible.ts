import type { Cluster } from '../cluster/cluster.ts'
import { type Journal, nameOf, type SentFile, type Violation } from '../workload/journal.ts'

/** How many files are asked for at once. */
const askers = 6

/**
 * Asks every replica for files whose deletion was acknowledged.
 * @param known those that were found to be gone before; nobody asks for them again
 */
export async function findVisible(cluster: Cluster, journal: Journal, known: Set<SentFile>): Promise<Violation[]> {
  const deleted = journal.groups
    .flatMap(({ files }) => files)
    .filter((file) => file.removal === 'acknowledged' && file.id !== undefined && !known.has(file))
  const found: Violation[] = []
  const next = deleted[Symbol.iterator]()
  const ask = async () => {
    for (const file of next) {
      const statuses = await statusesOf(cluster, file)
      if (statuses.every((status) => status === 404)) known.add(file)
      else found.push({ kind: 'wrong', text: `${nameOf(file)} is deleted, and the replicas answer ${statuses}` })
    }
  }
  await Promise.all(Array.from({ length: askers }, ask))
  return found
}

async function statusesOf({ replicas, chat }: Cluster, { id }: SentFile): Promise<number[]> {
  const isBearer = typeof id === 'string'
  const path = isBearer ? `/v1/attachments/${id}` : `/api/v1/attachments/${id}`
  const headers: Record<string, string> = isBearer ? { authorization: chat.authorization } : { cookie: chat.cookie }
  return await Promise.all(
    replicas.map(async ({ url }) => {
      const response = await fetch(url + path, { headers })
      await response.body?.cancel()
      return response.status
    }),
  )
}
