import { spawnSync } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** The last state of MinIO's public source. It has no release tags that `go install` understands. */
const MODULE = 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c'

/** `minio` on the path, or from the cache, or built into the cache when Go is there. */
export async function findOrBuildMinio(log: (message: string) => void): Promise<string | undefined> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'stowage', 'bin')
  const folders = [...(process.env.PATH ?? '').split(delimiter), cache]
  for (const folder of folders) {
    const program = join(folder, 'minio')
    if (await isExecutable(program)) return program
  }
  return hasGo() ? buildMinio(cache, log) : undefined
}

/** The program appears in the cache in one step: an interrupted build leaves nothing that looks like one. */
async function buildMinio(cache: string, log: (message: string) => void): Promise<string | undefined> {
  log(`BUILDING MINIO, once, into ${cache}. This takes about two minutes.`)
  await mkdir(cache, { recursive: true })
  const workplace = await mkdtemp(join(cache, '.building-'))
  try {
    const env = { ...process.env, GOBIN: workplace, CGO_ENABLED: '0' }
    const { status } = spawnSync('go', ['install', MODULE], { env, stdio: ['ignore', 'inherit', 'inherit'] })
    if (status !== 0) {
      log('MinIO could not be built.')
      return undefined
    }
    await rename(join(workplace, 'minio'), join(cache, 'minio'))
    return join(cache, 'minio')
  } finally {
    await rm(workplace, { recursive: true, force: true })
  }
}

function hasGo(): boolean {
  return spawnSync('go', ['version']).status === 0
}

async function isExecutable(program: string): Promise<boolean> {
  return access(program, constants.X_OK).then(
    () => true,
    () => false,
  )
}
