import { existsSync } from 'node:fs'
import { ConfigError } from '#domain/errors.ts'
import { exampleProblems } from './example-secrets.ts'
import { type Setting, settings } from './settings.ts'

type Settings = typeof settings
type ValueOf<S> = S extends { fallback: string; parse(text: string): infer T }
  ? T
  : S extends Setting<infer T>
    ? T | undefined
    : never

/** All settings, parsed. Names and meanings: {@link settings}. */
export type Config = Readonly<{ [Name in keyof Settings]: ValueOf<Settings[Name]> }> & {
  /** `NODE_ENV` is `production`: no setting falls back to an embedded default. */
  readonly production: boolean
  readonly sessionCookie: string
}

const requiredInProduction = ['databaseUrl', 's3Bucket', 'publicUrl', 'urlSigningKey'] as const

/**
 * Parses the environment. An empty value counts as unset.
 * @throws ConfigError naming every missing or wrong setting
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = []
  const values = Object.entries(settings).map(([key, setting]) => [key, parsedValue(setting, env, problems)])
  const parsed = Object.fromEntries(values)
  const isSecure = parsed.publicUrl?.startsWith('https:') === true
  const config: Config = Object.freeze({
    ...parsed,
    // Browsers accept a `__Host-` cookie only with `Secure` and only from its own host (RFC 6265bis section 4.1.3.2).
    sessionCookie: parsed.sessionCookie ?? (isSecure ? '__Host-session' : 'session'),
    production: env.NODE_ENV === 'production',
  })

  if (config.production) {
    for (const key of requiredInProduction) {
      if (config[key] === undefined && !problems.some((problem) => problem.startsWith(`${settings[key].name} `)))
        problems.push(`${settings[key].name} is required when NODE_ENV is production`)
    }
  }
  problems.push(...exampleProblems(config))
  if (config.production && config.demo === true)
    problems.push(
      'DEMO prints credentials: in production leave it unset, or set it to even-in-production if you mean it',
    )
  if (config.sessionSameSite === 'none' && !isSecure)
    problems.push(
      'SESSION_SAMESITE none needs https: browsers drop such a cookie elsewhere. Set PUBLIC_URL to an https:// URL',
    )
  if ((config.awsAccessKeyId === undefined) !== (config.awsSecretAccessKey === undefined))
    problems.push('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: set both or neither')
  else if (config.awsSessionToken !== undefined && config.awsAccessKeyId === undefined)
    problems.push('AWS_SESSION_TOKEN needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: set all three or none')
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

function parsedValue(setting: Setting<unknown>, env: NodeJS.ProcessEnv, problems: string[]): unknown {
  const text = env[setting.name] || (setting.alias && env[setting.alias]) || setting.fallback
  if (text === undefined) return undefined
  try {
    return setting.parse(text)
  } catch (error) {
    const shown = setting.secret ? '' : ` (it is ${JSON.stringify(withoutUser(text))})`
    problems.push(`${setting.name} ${(error as Error).message}${shown}`)
    return undefined
  }
}

/** Removes the credentials of a URL, which must not be logged. */
function withoutUser(text: string): string {
  const start = text.indexOf('//')
  const end = text.lastIndexOf('@')
  return start === -1 || end < start ? text : `${text.slice(0, start)}//…${text.slice(end)}`
}

/**
 * Adds the variables of a file to the environment. Variables that the environment already has are kept.
 * @param path `.env` in the working directory unless given; no file is no error
 * @throws ConfigError when the file exists and cannot be read
 */
export function loadEnvFile(path = '.env'): void {
  if (!existsSync(path)) return
  try {
    process.loadEnvFile(path)
  } catch (error) {
    throw new ConfigError([`${path} cannot be read: ${(error as Error).message}`])
  }
}
