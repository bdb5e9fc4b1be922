import { existsSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { canEnter, requireEntry, type SystemUser } from './postgres-user.ts'

/** Files and folders as a program of Postgres is told of them, and what it has to inherit to find them there. */
export interface ToldPaths {
  names: string[]
  /** For the `stdio` of `spawn`, behind the first three. */
  descriptors: number[]
  [Symbol.asyncDispose](): Promise<void>
}

/** Of the first descriptor behind the standard ones, whose number is that of the file in the program. */
const firstDescriptor = 3

/** What an inherited file or folder is called, by Linux. */
export function inheritedName(index: number): string {
  return `/proc/self/fd/${firstDescriptor + index}`
}

/**
 * Tells `user` where files and folders are. What lies in a folder that they cannot enter, as in a home directory of root's, is
 * opened by us and handed down: Linux lets a process reach what it has open, whatever lies above it.
 * @throws Error that says what to allow, on other systems
 */
export async function tellPaths(user: SystemUser | undefined, paths: string[]): Promise<ToldPaths> {
  if (user === undefined || paths.every((path) => canEnter(user, path)))
    return { names: paths, descriptors: [], async [Symbol.asyncDispose]() {} }
  if (!existsSync('/proc/self/fd')) for (const path of paths) requireEntry(user, path)
  const handles: FileHandle[] = []
  for (const path of paths) handles.push(await open(path, 'r'))
  return {
    names: paths.map((_, index) => inheritedName(index)),
    descriptors: handles.map(({ fd }) => fd),
    async [Symbol.asyncDispose]() {
      for (const handle of handles) await handle.close()
    },
  }
}
