import { parseArgs } from 'node:util'
import { doctor } from './commands/doctor.ts'
import { serve } from './commands/serve.ts'
import { session } from './commands/session.ts'
import { token } from './commands/token.ts'
import { type CommandLine, UsageError, usage } from './commands/usage.ts'
import { withDatabase } from './commands/with-database.ts'
import { ConfigError, loadEnvFile } from './config.ts'
import { StowageError } from './errors.ts'

async function run(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { positionals, values } = readArguments(args)
  const [command, action, subject] = positionals
  const line: CommandLine = { action, subject, options: values }
  if (values.help || command === 'help') return console.log(usage)
  switch (command) {
    case 'serve':
      return serve(env)
    case 'migrate':
      return withDatabase(env, async () => {})
    case 'token':
      return token(env, line)
    case 'session':
      return session(env, line)
    case 'doctor':
      return doctor(env)
    default:
      throw new UsageError(command === undefined ? 'A command is missing.' : `There is no command ${command}.`)
  }
}

function readArguments(args: string[]) {
  const text = { type: 'string' } as const
  const options = {
    user: text,
    scope: text,
    'expires-in': text,
    id: text,
    help: { type: 'boolean', short: 'h' },
  } as const
  try {
    return parseArgs({ args, allowPositionals: true, options })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** What the operator can mend is told in words; anything else with its stack. */
function explain(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n\n${usage}`
  if (error instanceof ConfigError || error instanceof StowageError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

loadEnvFile()
try {
  await run(process.argv.slice(2), process.env)
} catch (error) {
  console.error(explain(error))
  process.exitCode = 1
}
