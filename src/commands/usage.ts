import { firstInternalId } from '#domain/ids.ts'

export const usage = `Usage: stowage <command>

  serve [--no-workers]           run the server
  work                           run the workers alone, for servers that run without them
  migrate                        bring the database up to date; serve does it too
  token create --user ID [--scope read,write,admin] [--expires-in SECONDS]
                                 print a new bearer token
  token revoke TOKEN             end a token and the sessions made from it
  session create --user ID       print a new session as a cookie pair
  session revoke COOKIE          end a session
  scrub [--rate 50MiB] [--older-than HOURS]
                                 read everything stored and compare it with the database; with --older-than only what
                                 was not read for so long. Exits 0: all is well, 1: not everything could be looked at,
                                 2: something is damaged, missing or orphaned
  restored [--revoke-credentials] [--release]
                                 after a backup of the database was restored: skip ids that were given out, and fail
                                 and remove nothing until a scrub has run, or --release; with --revoke-credentials
                                 also end all sessions and tokens
  doctor                         check settings, database, bucket and clock; say what to fix

Settings come from the environment and from .env; the README lists them.`

/** The options of all commands, unparsed. */
export type Options = Partial<Record<TextOption, string>> & Partial<Record<Flag, boolean>>

type Flag = 'no-workers' | 'revoke-credentials' | 'release'

type TextOption = 'user' | 'scope' | 'expires-in' | 'rate' | 'older-than'

/** An invalid command line. The message names the valid form. */
export class UsageError extends Error {}

/** The user's id. @throws UsageError */
export function userOption(options: Options): number {
  return wholeOption('user', options, firstInternalId - 1)
}

/** A required option: a whole number from 1 to `max`. @throws UsageError with the name of the option */
export function wholeOption(name: TextOption, options: Options, max: number): number {
  const text = options[name] ?? ''
  if (!/^[1-9]\d{0,15}$/.test(text) || Number(text) > max)
    throw new UsageError(`--${name} needs a whole number from 1 to ${max}.`)
  return Number(text)
}
