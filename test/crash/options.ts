import { parseArgs } from 'node:util'

export interface Options {
  /** In all campaigns together, at least. */
  kills: number
  /** Of every random choice. */
  seed: number
  /** The name of the one campaign to run. */
  only: string | undefined
}

const usage = `npm run test:crash -- [--kills 200] [--seed number] [--only campaign]`

/** @throws Error that says how it is used */
export function readOptions(args: string[], campaigns: readonly string[]): Options {
  const text = { type: 'string' } as const
  try {
    const { values } = parseArgs({ args, options: { kills: text, seed: text, only: text } })
    const { only } = values
    if (only !== undefined && !campaigns.includes(only)) throw new Error(`--only takes ${campaigns.join(', ')}.`)
    const seed = whole('seed', values.seed) ?? Math.floor(Math.random() * 1_000_000)
    return { kills: whole('kills', values.kills) ?? 200, seed, only }
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${usage}`, { cause: error })
  }
}

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} takes a whole number.`)
  return Number(text)
}
