import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface Options {
  /** Smaller loads, once. */
  quick: boolean
  /** Only scenarios with this in their name. */
  only: string
  /** File that gets the figures as JSON. */
  json: string | undefined
  /** Whether Stowage is profiled, and into which folder; one is made when that is not named. */
  profile: boolean
  profileFolder: string | undefined
}

/** The command line was not understood; the message says what it should have been. */
export class UsageError extends Error {}

const usage = 'Usage: npm run bench -- [--quick] [--only WORD] [--json FILE] [--profile [FOLDER]]'

/** @throws UsageError */
export function readOptions(args: string[]): Options {
  const { values, positionals } = parse(args)
  const [folder, ...surplus] = positionals
  if (surplus.length > 0 || (folder !== undefined && !values.profile)) throw new UsageError(usage)
  // Servers run in a folder of their own.
  return { ...values, json: values.json, profileFolder: folder && resolve(folder) }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        json: { type: 'string' },
        profile: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`)
  }
}
