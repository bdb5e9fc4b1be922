import { readdir, readlink } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { Test } from 'tap'
import { openDiskStore } from '#store/disk/disk-store.ts'
import type { StoreUnderTest } from './contract.ts'

export interface DiskUnderTest extends StoreUnderTest {
  directory: string
}

/** A disk store in a folder of its own, which is gone when the test ends. */
export async function openInTestdir(t: Test): Promise<DiskUnderTest> {
  const directory = t.testdir()
  const store = await openDiskStore(directory)
  t.teardown(() => store.close())
  return {
    store,
    directory,
    place: { directory },
    partSize: 1_000_000,
    confirms: false,
    async remains(key) {
      const name = key.replaceAll('/', '-')
      const files = await readdir(directory, { recursive: true })
      return files.filter((file) => basename(file) === name || basename(file).startsWith(`${name}.`))
    },
    openReads: process.platform === 'linux' ? () => countOpenFiles(directory) : undefined,
  }
}

/** How many files in a folder this process has open, as Linux tells. */
async function countOpenFiles(directory: string): Promise<number> {
  const descriptors = await readdir('/proc/self/fd')
  const paths = await Promise.all(
    descriptors.map((descriptor) => readlink(`/proc/self/fd/${descriptor}`).catch(() => '')),
  )
  return paths.filter((path) => path.startsWith(`${resolve(directory)}/`)).length
}
