import type { Expression, NewExpression, SpreadElement } from 'acorn'
import { simple } from 'acorn-walk'
import t from 'tap'
import { type Source, sources } from './kit/sources.ts'

/** Where the errors are made that can end an upload: what they say is kept as its `failureReason`, which others read. */
const places =
  '{domain,uploads,downloads,deletion,recovery,store,http/request-body,http/session-api,http/bearer-api,http/admin-api}/**/*.ts'

/**
 * What those errors are made of beside their own words: numbers, states and names of ours. Nothing that a client wrote may
 * be among them; an error that quotes its client gives a `reason` of its own.
 */
const ours = [
  ...['message', 'what', 'fault', 'problem', 'permission', 'reasonOf(error, bucket, place)'],
  ...['attachment.state', 'state', 'algorithm', 'declared.algorithm', 'declared.hex', 'declaredChecksum'],
  ...[
    'length',
    'size',
    'actual',
    'announced',
    'rule',
    'forClient',
    'declaredSize',
    'difference',
    'maxFileSize',
    'digits',
    'seconds',
    'longestPage',
    'firstInternalId - 1',
  ],
  ...['milliseconds / 1000', "anyOf.join(' or ')"],
  ...['known', 'most', 'limit', 'text', 'told', 'bytesPerSecond', 'this.#limits.whenFull', 'this.#limits.whenTooMany'],
  ...['field', 'fileField', 'name', 'this.#max.fields', 'this.#max.files'],
]

/** What a message is put together from. */
function partsOf(message: Expression | SpreadElement | undefined): readonly (Expression | SpreadElement)[] {
  if (message === undefined || message.type === 'Literal') return []
  return message.type === 'TemplateLiteral' ? message.expressions : [message]
}

/** The reason that an error gives, else its message. */
function keptOf({ arguments: [, message, options] }: NewExpression): Expression | SpreadElement | undefined {
  const properties = options?.type === 'ObjectExpression' ? options.properties : []
  const reason = properties.find(
    (property) => property.type === 'Property' && property.key.type === 'Identifier' && property.key.name === 'reason',
  )
  return reason?.type === 'Property' ? reason.value : message
}

function errorsOf({ path, code, tree }: Source): { place: string; part: string }[] {
  const found: { place: string; part: string }[] = []
  simple(tree, {
    NewExpression(node) {
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'StowageError') return
      for (const part of [keptOf(node)].flatMap(partsOf))
        found.push({ place: `${path}:${node.loc?.start.line}`, part: code.slice(part.start, part.end) })
    },
  })
  return found
}

t.test('what is kept of an error holds no word of its client', async (t) => {
  const found = sources(places).flatMap(errorsOf)
  t.ok(found.length > 30, `${found.length} were found`)
  for (const { place, part } of found)
    t.ok(part.startsWith('limits.') || ours.includes(part), `${place}: ${part} is of ours`)
})
