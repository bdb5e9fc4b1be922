import type { Node } from 'acorn'
import { full } from 'acorn-walk'
import { checkSync } from 'recheck'
import t from 'tap'
import { type Source, sources } from './kit/sources.ts'

interface Found {
  place: string
  source: string
  flags: string
}

/** What a file of ours holds: its regular expressions, and where it makes one of text. */
function read({ path, tree }: Source): { literals: Found[]; made: string[] } {
  const literals: Found[] = []
  const made: string[] = []
  full(tree, (node: Node) => {
    const place = `${path}:${node.loc?.start.line}`
    const { regex, callee } = node as Node & {
      regex?: { pattern: string; flags: string }
      callee?: { name?: string }
    }
    if (regex) literals.push({ place, source: regex.pattern, flags: regex.flags })
    if (callee?.name === 'RegExp') made.push(place)
  })
  return { literals, made }
}

/** Whether matching takes time that grows with the length of the text at most, whatever the text. */
function isLinear({ source, flags }: Pick<Found, 'source' | 'flags'>): boolean {
  const found = checkSync(source, flags, { timeout: 20_000 })
  return found.status === 'safe' && ['safe', 'linear'].includes(found.complexity.type)
}

t.test('every regular expression takes linear time', async (t) => {
  process.env.RECHECK_BACKEND = 'pure'
  const files = [...sources('**/*.ts'), ...sources('../dev/**/*.ts')].map(read)
  const literals = files.flatMap((file) => file.literals)
  t.ok(literals.length > 50, `${literals.length} were found`)
  for (const literal of literals) t.ok(isLinear(literal), `${literal.place} /${literal.source}/${literal.flags}`)
  t.strictSame(
    files.flatMap(({ made }) => made),
    [],
    'none is made of text, which nobody could check here',
  )
  t.notOk(isLinear({ source: '\\s+$', flags: '' }), 'one that is not is told')
  t.notOk(isLinear({ source: '^(?:a|a)*$', flags: '' }))
})
