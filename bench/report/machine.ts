import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { promisify } from 'node:util'
import type { Backends } from '../backends/backends.ts'
import { postgresVersion } from '../backends/database.ts'

const root = new URL('../..', import.meta.url)
const run = promisify(execFile)

const libraries = [
  ...['fastify', '@fastify/multipart', '@fastify/busboy', 'multer', 'multer-s3'],
  ...['@aws-sdk/client-s3', '@aws-sdk/lib-storage', 'postgres'],
]

/** What a reader needs to know to judge the figures. */
export async function describeRun(backends: Backends, flags: string[]): Promise<string> {
  const versions = await Promise.all(libraries.map(async (name) => `${name} ${await versionOf(name)}`))
  const lines = {
    date: new Date().toISOString(),
    commit: await commit(),
    machine: `${cpus()[0]?.model}, ${availableParallelism()} cores, ${(totalmem() / 2 ** 30).toFixed()} GiB`,
    node: `${process.version} ${flags.join(' ')}`,
    store: await describeStore(backends),
    database: `Postgres ${await postgresVersion(backends)}`,
    libraries: versions.join(', '),
  }
  return Object.entries(lines)
    .map(([name, text]) => `${`${name}:`.padEnd(10)} ${text}`)
    .join('\n')
}

async function versionOf(name: string): Promise<string> {
  return JSON.parse(await readFile(new URL(`node_modules/${name}/package.json`, root), 'utf8')).version
}

async function commit(): Promise<string> {
  try {
    const { stdout } = await run('git', ['describe', '--always', '--dirty'], { cwd: root })
    return stdout.trim()
  } catch {
    return 'unknown'
  }
}

/** A program says which version it is; of an image or an address that is all we know. */
async function describeStore({ s3Description }: Backends): Promise<string> {
  try {
    const { stdout } = await run(s3Description, ['--version'])
    return stdout.split('\n').slice(0, 2).join(', ')
  } catch {
    return s3Description
  }
}
