import { spawnSync } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

const program = 'toxiproxy-server'
const module = 'github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0'

/** Toxiproxy from the path or the cache, or built into the cache. @throws Error saying what to install */
export async function findOrBuildToxiproxy(log: (message: string) => void): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'stowage', 'bin')
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), cache]) {
    const found = join(folder, program)
    if (await isExecutable(found)) return found
  }
  if (spawnSync('go', ['version']).status !== 0)
    throw new Error(`The crash suite needs ${program} on the PATH, or Go to build it: go install ${module}`)
  log(`building Toxiproxy, once, into ${cache}`)
  return await build(cache)
}

/** The program appears in the cache in one step: an interrupted build leaves nothing that looks like one. */
async function build(cache: string): Promise<string> {
  await mkdir(cache, { recursive: true })
  const workplace = await mkdtemp(join(cache, '.building-'))
  try {
    const env = { ...process.env, GOBIN: workplace, CGO_ENABLED: '0' }
    const { status } = spawnSync('go', ['install', module], { env, stdio: ['ignore', 'inherit', 'inherit'] })
    if (status !== 0) throw new Error(`Toxiproxy could not be built: go install ${module}`)
    await rename(join(workplace, 'server'), join(cache, program))
    return join(cache, program)
  } finally {
    await rm(workplace, { recursive: true, force: true })
  }
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
