import { parseArgs } from 'node:util'
import { type Options, UsageError, usage } from '#commands/usage.ts'
import { loadEnvFile } from '#config/config.ts'
import { ConfigError, StowageError } from '#domain/errors.ts'
import { armFailpoint } from './failpoints.ts'

type Environment = NodeJS.ProcessEnv

interface Command {
  /** Options of the command. Default: none. */
  options?: readonly (keyof Options)[]
  /** Meaning of the only argument. A command without it takes no argument. */
  argument?: string
  /** Loads the modules of this command alone, because a server takes a second of CPU time to load. */
  load(): Promise<(env: Environment, options: Options, argument: string) => Promise<void>>
}

const credentials = () => import('#commands/credentials.ts')
const servers = () => import('#commands/serve.ts')

const commands = new Map<string, Command>([
  ['serve', { options: ['no-workers'], load: async () => (await servers()).serve }],
  ['work', { load: async () => (await servers()).work }],
  ['migrate', { load: async () => (await import('#commands/with-database.ts')).migrate }],
  [
    'token create',
    { options: ['user', 'scope', 'expires-in'], load: async () => (await credentials()).createTokenCommand },
  ],
  ['token revoke', { argument: 'the token', load: async () => (await credentials()).revokeTokenCommand }],
  ['session create', { options: ['user'], load: async () => (await credentials()).createSessionCommand }],
  ['session revoke', { argument: 'the cookie pair', load: async () => (await credentials()).revokeSessionCommand }],
  ['scrub', { options: ['rate', 'older-than'], load: async () => (await import('#commands/scrub.ts')).scrubCommand }],
  [
    'restored',
    { options: ['revoke-credentials', 'release'], load: async () => (await import('#commands/restored.ts')).restored },
  ],
  ['doctor', { load: async () => (await import('#commands/doctor.ts')).doctor }],
])

async function main(args: string[], env: Environment): Promise<void> {
  const { positionals, options, help } = readArguments(args)
  if (help || positionals[0] === 'help') return console.log(usage)
  const pair = positionals.slice(0, 2).join(' ')
  const name = commands.has(pair) ? pair : (positionals[0] ?? '')
  const command = commands.get(name)
  if (command === undefined)
    throw new UsageError(name === '' ? 'A command is missing.' : `There is no command ${pair}.`)

  const rest = positionals.slice(name.split(' ').length)
  const argument = command.argument === undefined ? '' : rest.shift()
  const unknownOptions = Object.keys(options).filter((option) => !command.options?.includes(option as keyof Options))
  const unexpected = [...unknownOptions.map((option) => `--${option}`), ...rest]
  if (argument === undefined) throw new UsageError(`stowage ${name} needs ${command.argument}.`)
  if (unexpected.length > 0) throw new UsageError(`stowage ${name} does not take ${unexpected.join(' ')}.`)
  armFailpoint(env.STOWAGE_FAILPOINT)
  const run = await command.load()
  await run(env, options, argument)
}

function readArguments(args: string[]): { positionals: string[]; options: Options; help: boolean | undefined } {
  const text = { type: 'string' } as const
  // A token can begin with a dash, so the argument after `revoke` is never an option.
  const after = args.indexOf('revoke') + 1
  const dashes = after > 0 && args[after] !== '--' ? ['--'] : []
  try {
    const { positionals, values } = parseArgs({
      args: args.toSpliced(after, 0, ...dashes),
      allowPositionals: true,
      options: {
        user: text,
        scope: text,
        'expires-in': text,
        rate: text,
        'older-than': text,
        'no-workers': { type: 'boolean' },
        'revoke-credentials': { type: 'boolean' },
        release: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    const { help, ...options } = values
    return { positionals, options, help }
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** The message of an error that the operator can fix, and the stack of any other error. */
function explain(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n\n${usage}`
  if (error instanceof ConfigError || error instanceof StowageError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

try {
  loadEnvFile()
  await main(process.argv.slice(2), process.env)
} catch (error) {
  console.error(explain(error))
  process.exitCode = 1
}
