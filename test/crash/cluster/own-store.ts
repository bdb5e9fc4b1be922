import { spawnSync } from 'node:child_process'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findFreePort } from '#dev/free-port.ts'
import { findOrBuild, minio } from '../../kit/servers/go-program.ts'
import { accessTo, minioCommand } from '../../kit/servers/minio.ts'
import { startServer } from '../../kit/servers/server.ts'
import type { StoreAccess } from './bucket.ts'

/** A MinIO of one campaign alone, on a small disk of its own where one can be mounted. */
export interface OwnStore extends AsyncDisposable {
  access: StoreAccess
  /** Silent, with its connections open, until `thaw`. */
  freeze(): void
  thaw(): void
  /** Undefined where nobody lets us mount one. */
  disk: SmallDisk | undefined
}

export interface SmallDisk {
  /** Takes all the room there is, and all that becomes free, until `free`. */
  fill(): Promise<void>
  free(): Promise<void>
}

/** Of the disk: four times what the clients of a campaign keep, so that it is full only when it is filled. */
const mebibytes = 400

/** Milliseconds between two looks for room that has become free. */
const pause = 50

/**
 * The disk is in memory, and mounted where only the store sees it: it is gone when the store has ended, however it ends.
 * @param directory for its state and logs
 * @throws Error saying what to install
 */
export async function startOwnStore(directory: string): Promise<OwnStore> {
  const program = await findOrBuild(minio, console.error)
  if (program === undefined)
    throw new Error('A store that is frozen and full is a MinIO on the path: install it, or Go')
  const [folder, pidFile] = [join(directory, 'store'), join(directory, 'store.pid')]
  await mkdir(folder)
  const server = minioCommand(program, { port: await findFreePort(), directory, data: join(folder, 'data') })
  const namespace = namespaceFor(folder)
  const mount = namespace ? `mount -t tmpfs -o size=${mebibytes}m tmpfs "$1" && ` : ''
  const script = `${mount}echo $$ >"$2" && shift 2 && exec "$@"`
  const [command = '', ...args] = [...(namespace ?? []), 'sh', '-c', script, 'sh', folder, pidFile]
  const stop = await startServer({ ...server, command, args: [...args, program, ...server.args] })
  const pid = Number(await readFile(pidFile, 'utf8'))
  const thaw = () => void process.kill(pid, 'SIGCONT')
  return {
    access: accessTo(server.endpoint),
    freeze: () => void process.kill(pid, 'SIGSTOP'),
    thaw,
    // The folder as the store sees it.
    disk: namespace && smallDisk(`/proc/${pid}/root${folder}`),
    async [Symbol.asyncDispose]() {
      thaw()
      await stop()
    },
  }
}

/** The command behind which a disk can be mounted that nobody else sees, as root or as a user who is root there. */
function namespaceFor(folder: string): string[] | undefined {
  const namespaces = [
    ['unshare', '--mount'],
    ['unshare', '--mount', '--map-root-user'],
  ]
  return namespaces.find(([command = '', ...args]) => {
    const { status } = spawnSync(command, [...args, 'mount', '-t', 'tmpfs', 'tmpfs', folder])
    return status === 0
  })
}

function smallDisk(folder: string): SmallDisk {
  const ballast = join(folder, 'ballast')
  let isFull = false
  let filling = Promise.resolve()
  const goOn = async () => {
    for (; isFull; await delay(pause)) await fillUp(ballast)
  }
  return {
    async fill() {
      isFull = true
      await fillUp(ballast)
      filling = goOn()
    },
    async free() {
      isFull = false
      await filling
      await rm(ballast)
    },
  }
}

async function fillUp(file: string): Promise<void> {
  await using ballast = await open(file, 'a')
  for (const size of [2 ** 20, 2 ** 12]) {
    const block = Buffer.alloc(size)
    const write = () => ballast.write(block).then(({ bytesWritten }) => bytesWritten > 0, isRefused)
    while (await write());
  }
}

/** @throws what is wrong besides a full disk */
function isRefused(error: NodeJS.ErrnoException): false {
  if (error.code !== 'ENOSPC') throw error
  return false
}
