import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '#domain/errors.ts'

const minCharacters = 32

/**
 * Reads the signing key in a folder, or creates it, so that links outlive a restart. A new key is synced to the disk before its
 * file gets the final name, so no process reads an empty or partial key. When two processes start together, the second takes the
 * key of the first.
 * @throws ConfigError when the file holds fewer than 32 characters
 */
export async function readOrCreateKey(directory: string): Promise<string> {
  const path = join(directory, 'url-signing-key')
  const key = (await readKey(path)) ?? (await createKey(directory, path))
  if (key.length < minCharacters)
    throw new ConfigError([
      `DATA_DIR has a signing key of ${key.length} characters, and ${minCharacters} are the least: restore ${path}, ` +
        'or delete it, which ends the links given so far, or set URL_SIGNING_KEY',
    ])
  return key
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
    await writeAndSync(draft, randomBytes(32).toString('hex'))
    await link(draft, path).catch(ignoreExisting)
  } finally {
    await rm(draft, { force: true })
  }
  await syncFolder(directory)
  return (await readKey(path)) ?? ''
}

async function writeAndSync(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(text)
  await file.sync()
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder, and does not need the sync.
  if (process.platform === 'win32') return
  await using folder = await open(path, 'r')
  await folder.sync()
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
