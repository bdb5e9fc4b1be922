import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePort } from '#dev/free-port.ts'
import { bucketSettings } from '../../kit/bucket.ts'
import { startHaproxy } from '../../kit/servers/haproxy.ts'
import { startNginx } from '../../kit/servers/nginx.ts'
import { type Bucket, createBucket, type StoreAccess } from './bucket.ts'
import { type Chat, makeChat } from './chat.ts'
import { type DatabasePair, openDatabasePair } from './database-pair.ts'
import type { Line } from './line.ts'
import { type OwnStore, startOwnStore } from './own-store.ts'
import { createDatabase } from './postgres.ts'
import { Replica } from './replica.ts'
import type { Servers } from './servers.ts'

/** Seconds; the least that Stowage takes, so that a recovery is not waited for longer than need be. */
export const leaseSeconds = 3

export interface ClusterOptions {
  /** Letters, digits and dashes. */
  name: string
  balancer: 'nginx' | 'haproxy'
  checksums: 'crc32' | 'off'
  isVersioned: boolean
  /** A database of its own, by way of a line, with a synchronous standby. */
  hasStandby?: boolean
  /** A store of its own. */
  hasOwnStore?: boolean
}

/** Three replicas behind a load balancer, with a database and a bucket of their own. */
export interface Cluster extends AsyncDisposable {
  /** Of the load balancer. */
  url: string
  replicas: readonly Replica[]
  /** To the store. */
  line: Line
  pair: DatabasePair | undefined
  ownStore: OwnStore | undefined
  databaseUrl: string
  databaseName: string
  bucket: Bucket
  chat: Chat
  /** The folder of its logs. */
  directory: string
  servers: Servers
}

export async function openCluster(servers: Servers, options: ClusterOptions): Promise<Cluster> {
  await using opened = new AsyncDisposableStack()
  const directory = join(servers.directory, options.name)
  await mkdir(directory)
  const databaseName = options.name.replaceAll('-', '_')
  const pair = options.hasStandby ? opened.use(await openDatabasePair(servers, directory, options.name)) : undefined
  const databaseUrl = pair?.url ?? (await createDatabase(servers.postgres, databaseName))
  const ownStore = options.hasOwnStore ? opened.use(await startOwnStore(directory)) : undefined
  const store = ownStore?.access ?? servers.store
  const bucket = opened.use(await createBucket(store, options.name, options.isVersioned))
  const line = await servers.lines.open(options.name, store.endpoint)
  const env = replicaEnvironment(servers.directory, options, { databaseUrl, store, endpoint: line.endpoint })
  const replicas: Replica[] = []
  for (const name of ['replica-1', 'replica-2', 'replica-3'])
    replicas.push(new Replica(name, await findFreePort(), directory, env))
  opened.defer(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()))
  })
  await Promise.all(replicas.map((replica) => replica.start()))
  const start = options.balancer === 'nginx' ? startNginx : startHaproxy
  const balancer = await start({ directory, upstreams: replicas.map(({ url }) => new URL(url).host) })
  opened.defer(() => balancer.stop())
  const chat = await makeChat(balancer.url, env)
  const running = opened.move()
  return {
    ...{
      url: balancer.url,
      replicas,
      line,
      pair,
      ownStore,
      databaseUrl,
      databaseName,
      bucket,
      chat,
      directory,
      servers,
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

function replicaEnvironment(
  directory: string,
  { name, checksums }: ClusterOptions,
  { databaseUrl, store, endpoint }: { databaseUrl: string; store: StoreAccess; endpoint: string },
): NodeJS.ProcessEnv {
  return {
    DATABASE_URL: databaseUrl,
    ...bucketSettings({ bucket: name, ...store, endpoint }),
    S3_CHECKSUMS: checksums,
    PUBLIC_URL: 'http://chat.example',
    URL_SIGNING_KEY: 'the same on all replicas, of course',
    UPLOAD_LEASE_SECONDS: String(leaseSeconds),
    // The whole workload comes from one address, as few users, and as fast as it can.
    REQUESTS_PER_MINUTE: '0',
    REQUESTS_PER_MINUTE_PER_ADDRESS: '0',
    UPLOADS_PER_USER: '100',
    ATTACHMENTS_PER_MESSAGE: '100000',
    RESERVATIONS_PER_USER: '100000',
    DOWNLOADS_PER_USER: '400',
    LOG_LEVEL: 'warn',
    DEMO: 'false',
    // The standby has everything.
    AFTER_FAILOVER: 'continue',
    // A start costs a fifth less, and there are hundreds.
    NODE_COMPILE_CACHE: join(directory, 'compiled'),
  }
}
