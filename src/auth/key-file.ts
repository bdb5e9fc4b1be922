import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '#domain/errors.ts'

const fewestCharacters = 32

/**
 * The signing key that is made once and kept in a folder, so that links outlive a restart. The file gets its name when the whole key
 * is on the disk, and of two processes that start together the second takes the key of the first. So no process signs with half a
 * key, or with an empty one.
 * @throws ConfigError when the file holds too little for a key
 */
export async function readOrCreateKey(directory: string): Promise<string> {
  const path = join(directory, 'url-signing-key')
  const known = (await readKey(path)) ?? (await createKey(directory, path))
  if (known.length < fewestCharacters)
    throw new ConfigError([
      `DATA_DIR has a signing key of ${known.length} characters, and ${fewestCharacters} are the least: restore ${path}, ` +
        'or delete it, which ends the links given so far, or set URL_SIGNING_KEY',
    ])
  return known
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function createKey(directory: string, path: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomBytes(8).toString('hex')}`
  try {
    await writeSurely(draft, randomBytes(32).toString('hex'))
    await link(draft, path).catch(ignoreTaken)
  } finally {
    await rm(draft, { force: true })
  }
  await syncFolder(directory)
  return (await readKey(path)) ?? ''
}

async function writeSurely(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(text)
  await file.sync()
}

async function syncFolder(path: string): Promise<void> {
  // Windows neither needs this nor lets a folder be opened.
  if (process.platform === 'win32') return
  await using folder = await open(path, 'r')
  await folder.sync()
}

function ignoreTaken(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
