import { ConfigError } from '#domain/errors.ts'

/**
 * Where a server can be made to die, in the order a file passes them: before and after every effect outside the process.
 * The crash suite kills at each of them.
 */
export const failpoints = [
  'before-reserve',
  'after-reserve',
  'before-intent',
  'after-intent',
  'before-put',
  'after-put',
  'before-create',
  'after-create',
  'after-upload-id',
  'before-part',
  'after-part',
  'before-complete',
  'after-complete',
  'before-verify',
  'after-verify',
  'before-publish',
  'after-publish',
  'before-fail',
  'after-fail',
  'after-claim',
  'after-hide',
  'before-tombstone',
  'after-tombstone',
  'before-abort',
  'after-abort',
  'before-object-delete',
  'after-object-delete',
  'after-purge',
] as const

export type Failpoint = (typeof failpoints)[number]

let armed: { failpoint: string; passes: number } | undefined

/**
 * Turns one failpoint on, for the life of the process.
 * @param text its name, or `name:3` to die there the third time; `undefined` or empty leaves all of them off
 * @throws ConfigError when there is no such failpoint
 */
export function armFailpoint(text: string | undefined): void {
  if (!text) return
  const [, name = '', times = '1'] = /^([a-z-]+)(?::([1-9]\d{0,5}))?$/.exec(text) ?? []
  if (!(failpoints as readonly string[]).includes(name))
    throw new ConfigError([
      `STOWAGE_FAILPOINT must be one of ${failpoints.join(', ')}, or one with a count like after-part:3`,
    ])
  armed = { failpoint: name, passes: Number(times) }
  console.error(`STOWAGE_FAILPOINT: ${text} kills this process. It is for tests.`)
}

/** Kills this process right here, as `kill -9` does, when this failpoint is on and has been passed often enough. */
export function failpoint(name: Failpoint): void {
  if (armed?.failpoint !== name) return
  armed.passes -= 1
  if (armed.passes === 0) process.kill(process.pid, 'SIGKILL')
}
