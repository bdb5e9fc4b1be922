import { readFile } from 'node:fs/promises'
import t from 'tap'
import { repository } from '../kit/command.ts'
import { problemsOf } from './deploy-files.ts'

/** `NAME=value` of `.env.example`, also where they are only suggested. */
async function suggested(): Promise<Record<string, string>> {
  const text = await readFile(`${repository}/.env.example`, 'utf8')
  return Object.fromEntries(Array.from(text.matchAll(/^#? ?([A-Z\d_]+)=(.*)$/gm), ([, name, value]) => [name, value]))
}

t.test('.env.example starts nothing that others could open', async (t) => {
  const env = await suggested()
  t.match(problemsOf(env), [/^URL_SIGNING_KEY holds a secret of the examples/])
  const { URL_SIGNING_KEY: _, ...development } = env
  t.strictSame(problemsOf(development), [], 'the rest does for a laptop')
  const problems = problemsOf({ ...env, NODE_ENV: 'production', PUBLIC_URL: 'https://chat.example' })
  t.strictSame(
    problems.map((problem) => problem.split(' ')[0]),
    ['URL_SIGNING_KEY', 'DATABASE_URL', 'AWS_SECRET_ACCESS_KEY'],
  )
})
