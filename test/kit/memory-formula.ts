/** What a replica takes on at once. */
export interface Load {
  /** Uploads that do not say how long they are. */
  unknown?: number
  /** Uploads that do. */
  declared?: number
  downloads?: number
  connections?: number
  /** `MAX_FILES_PER_REQUEST`: of each there may be fields. */
  filesOfForm?: number
}

const mebibyte = 2 ** 20

/** What an idle process holds, as the README states it. */
export const idleMemory = 240e6

/** What the load adds, in bytes, by the formula of the README. */
export function loadMemory({ unknown = 0, declared = 0, filesOfForm = 20, ...others }: Load): number {
  const { downloads = 0, connections = 0 } = others
  const fields = (unknown + declared) * filesOfForm * 3 * 1024
  return fields + mebibyte * (7.5 * unknown + 0.75 * declared + 0.5 * downloads + 0.1 * connections)
}

/** Most memory, in bytes, that the README promises for a load. */
export function mostMemory(load: Load): number {
  return idleMemory + 96 * mebibyte + loadMemory(load)
}
