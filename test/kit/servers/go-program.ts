import { spawnSync } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** A program that `go install` makes. */
interface GoProgram {
  name: string
  /** With its version, as `go install` takes it. */
  module: string
  /** The file that `go install` makes, named after the module's last folder. */
  built: string
}

/** The last state of its public source, which has no release tags that `go install` understands. */
export const minio: GoProgram = {
  name: 'minio',
  module: 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c',
  built: 'minio',
}

export const toxiproxy: GoProgram = {
  name: 'toxiproxy-server',
  module: 'github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0',
  built: 'server',
}

/** Finds a program on the path or in the cache, or builds it into the cache when Go is there. @returns its path */
export async function findOrBuild(program: GoProgram, log: (message: string) => void): Promise<string | undefined> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'stowage', 'bin')
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), cache]) {
    const found = join(folder, program.name)
    if (await isExecutable(found)) return found
  }
  return spawnSync('go', ['version']).status === 0 ? build(program, cache, log) : undefined
}

/** The program appears in the cache in one step: an interrupted build leaves nothing that looks like one. */
async function build({ name, module, built }: GoProgram, cache: string, log: (message: string) => void) {
  log(`BUILDING ${name}, once, into ${cache}. This can take two minutes.`)
  await mkdir(cache, { recursive: true })
  const workplace = await mkdtemp(join(cache, '.building-'))
  try {
    const env = { ...process.env, GOBIN: workplace, CGO_ENABLED: '0' }
    const { status } = spawnSync('go', ['install', module], { env, stdio: ['ignore', 'inherit', 'inherit'] })
    if (status !== 0) {
      log(`${name} could not be built: go install ${module}`)
      return undefined
    }
    await rename(join(workplace, built), join(cache, name))
    return join(cache, name)
  } finally {
    await rm(workplace, { recursive: true, force: true })
  }
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
