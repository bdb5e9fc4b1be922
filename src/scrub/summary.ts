import { StowageError } from '#domain/errors.ts'
import { isDatabaseUnavailable } from '#persistence/connection/errors.ts'
import type { ScrubResult } from './scrub-context.ts'

/** The summary of a scrub for the operator: the findings, and the work that is left. */
export function summaryOf(result: ScrubResult): string {
  const { counts, bytes, unreadable, unlisted } = result.findings
  const found = Object.entries(counts).map(([name, count]) => `${count} ${name}`)
  const sentences = [`Scrub: ${found.join(', ')}; ${inMebibytes(bytes)} read in ${Math.round(result.seconds)} s.`]
  if (unreadable > 0) sentences.push(`${unreadable} could not be read.`)
  if (unlisted > 0) sentences.push('The store could not be listed: orphans may be there that were not found.')
  if (result.hold?.kept) sentences.push(`${result.hold.kept} files under way were whole and are kept.`)
  if (result.hold?.isReleased) sentences.push('The hold is over: recovery and removal go on.')
  if (result.interruptedBy) sentences.push(whatIsLeft(result))
  return sentences.join(' ')
}

function whatIsLeft({ interruptedBy, reached: { isListed, lastKey } }: ScrubResult): string {
  const why =
    interruptedBy === 'asked' ? 'It was asked to stop' : `It had to be broken off${reasonOf(interruptedBy?.error)}`
  if (!isListed) return `${why}: not all orphans were found, and no object was read.`
  const unread = lastKey === undefined ? 'no object was read' : `objects behind the key ${lastKey} were not read`
  return `${why}: ${unread}. With --older-than the next run reads only what is left.`
}

/** The reason, when the operator can fix it. The log has every reason. */
function reasonOf(error: unknown): string {
  if (isDatabaseUnavailable(error)) return ' (the database does not answer)'
  return error instanceof StowageError ? ` (${error.message})` : ''
}

/** 0: no problem. 1: not everything could be checked. 2: something is damaged, missing or orphaned, even after an interrupted scrub. */
export function exitCodeOf({ findings, interruptedBy }: ScrubResult): 0 | 1 | 2 {
  if (findings.hasDamage) return 2
  return interruptedBy || findings.unreadable + findings.unlisted > 0 ? 1 : 0
}

function inMebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}
