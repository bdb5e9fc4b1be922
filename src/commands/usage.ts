export const usage = `Usage: stowage <command>

  serve                          run the server
  migrate                        bring the database up to date; serve does it too
  token create --user ID [--scope read,write,admin] [--expires-in SECONDS]
                                 print a new bearer token
  token revoke TOKEN             end a token and the sessions made from it
  session create --user ID       print a new session as a cookie pair
  session revoke COOKIE          end a session
  doctor                         check settings, database, bucket and clock; say what to fix

Settings come from the environment and from .env; the README lists them.`

/** What follows the command. */
export interface CommandLine {
  action: string | undefined
  subject: string | undefined
  options: Partial<Record<'user' | 'scope' | 'expires-in', string>>
}

/** The command line was not understood; the message says what it should have been. */
export class UsageError extends Error {}

/** An option that must be a whole number above zero. @throws UsageError naming it */
export function positiveOption(name: keyof CommandLine['options'], options: CommandLine['options']): number {
  const text = options[name]
  if (text === undefined || !/^[1-9]\d{0,14}$/.test(text))
    throw new UsageError(`--${name} needs a whole number above zero.`)
  return Number(text)
}
