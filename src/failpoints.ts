import { ConfigError } from '#domain/errors.ts'

/**
 * Points at which a test can kill the server, in the order in which a file passes them: before and after each effect outside the
 * process. The crash suite kills the server at every one of them.
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
 * Arms one failpoint for the life of the process.
 * @param text the name of the failpoint, or `name:3` to kill the process at its third pass; `undefined` or empty arms none
 * @throws ConfigError for an unknown failpoint or a malformed count
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

/** Kills this process with SIGKILL when the failpoint is armed and its count of passes is reached. */
export function failpoint(name: Failpoint): void {
  if (armed?.failpoint !== name) return
  armed.passes -= 1
  if (armed.passes === 0) process.kill(process.pid, 'SIGKILL')
}
