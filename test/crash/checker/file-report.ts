import type { SentFile } from '../workload/journal.ts'
import type { Key, Move, Row } from './evidence.ts'

/** What is known of a file, as far as it is. */
export interface Known {
  file?: SentFile | undefined
  row?: Row | undefined
  key?: Key | undefined
  history?: readonly Move[] | undefined
}

/** All there is to say of a file, for whoever has to find out what happened: what was sent, the row, the key, the history. */
export function accountOf(what: string, { file, row, key, history = [] }: Known): string {
  const { group, ...facts } = file ?? { group: undefined }
  return [
    what,
    `  sent: ${group ? `${JSON.stringify(facts)} in request ${group.number}, ${group.way}` : 'nothing like it'}`,
    `  row: ${row ? JSON.stringify(row) : 'none'}`,
    ...(key ? [`  key: ${JSON.stringify(key)}`] : []),
    ...history.map(lineOf),
  ].join('\n')
}

function lineOf({ at, attempt, from, to, actor, reason }: Move): string {
  return `  ${at} attempt ${attempt}: ${from} → ${to} by ${actor}: ${reason}`
}
