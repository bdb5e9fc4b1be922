import type { Cluster } from '../cluster/cluster.ts'
import { type Journal, nameOf, type SentFile, type SentGroup, type Violation } from '../workload/journal.ts'
import { checkBytes } from './bytes.ts'
import { Evidence, type Key, type Move, type Row } from './evidence.ts'
import { accountOf } from './file-report.ts'
import { awaitRecovery } from './recovery.ts'
import { faultOf, ready } from './state-table.ts'
import { findVisible } from './visible.ts'

/** Reads database and bucket by itself, and compares them with what the clients were told. */
export class Checker implements AsyncDisposable {
  /** Seconds that the longest recovery took. */
  longestRecovery = 0
  /** Attempts that the recovery had to end, since their server was dead. */
  recovered = 0
  readonly #cluster: Cluster
  readonly #journal: Journal
  readonly #evidence: Evidence
  readonly #histories = new Map<number, Move[]>()
  #lastMove = 0
  /** The keys whose bytes were found to be right. */
  readonly #hashed = new Set<string>()
  /** Files that were found to be invisible on every replica. */
  readonly #gone = new Set<SentFile>()

  constructor(cluster: Cluster, journal: Journal) {
    this.#cluster = cluster
    this.#journal = journal
    this.#evidence = new Evidence(cluster.databaseUrl)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#evidence[Symbol.asyncDispose]()
  }

  /**
   * To be called when no client is at work and all replicas run.
   * @param isThorough whether objects are read again that were right before
   */
  async check({ isThorough = false } = {}): Promise<Violation[]> {
    const recovery = await awaitRecovery(this.#cluster, this.#evidence)
    this.longestRecovery = Math.max(this.longestRecovery, recovery.seconds)
    if (isThorough) this.#hashed.clear()
    const [rows, keys, moves] = await Promise.all([
      this.#evidence.rows(),
      this.#evidence.keys(),
      this.#evidence.movesAfter(this.#lastMove),
    ])
    this.#add(moves)
    const tell = (what: string, row: Row, key: Key | undefined) => this.#tell(what, undefined, row, key)
    return [
      ...recovery.violations,
      ...this.#journal.violations.splice(0),
      ...rows.flatMap((row) => this.#checkHistory(row)),
      ...this.#checkFiles(rows),
      ...(await checkBytes(this.#cluster.bucket, { rows, keys }, this.#hashed, tell)),
      ...(await findVisible(this.#cluster, this.#journal, this.#gone)),
    ]
  }

  #add(moves: Move[]): void {
    for (const move of moves) {
      this.#histories.set(move.attachmentId, [...this.#historyOf(move.attachmentId), move])
      if (move.actor === 'recovery' || move.actor === 'verification') this.recovered += 1
      this.#lastMove = move.id
    }
  }

  #historyOf(id: number): readonly Move[] {
    return this.#histories.get(id) ?? []
  }

  #checkHistory(row: Row): Violation[] {
    const history = this.#historyOf(row.id)
    const last = history.at(-1)
    const isRow = last?.to === row.state && last.attempt === row.attempt
    const fault = isRow ? faultOf(history) : `it ends in ${last?.to}, attempt ${last?.attempt}`
    return fault === undefined ? [] : [this.#wrong(`The history is broken: ${fault}`, undefined, row)]
  }

  #checkFiles(rows: Row[]): Violation[] {
    const rowOf = new Map<SentFile, Row>()
    const found: Violation[] = []
    for (const row of rows) {
      const file = this.#journal.byName.get(row.name)
      if (file === undefined) found.push(this.#wrong('No client sent this', undefined, row))
      else if (rowOf.has(file)) found.push(this.#wrong('There are two of this', file, row))
      else rowOf.set(file, row)
    }
    for (const group of this.#journal.groups) {
      found.push(...this.#checkGroup(group, rowOf))
      for (const file of group.files) found.push(...this.#checkFile(file, rowOf.get(file)))
    }
    return found
  }

  #checkFile(file: SentFile, row: Row | undefined): Violation[] {
    const found: Violation[] = []
    const isThere = row?.state === ready && !row.isDeleted && !row.isHidden
    if (file.isAcknowledged && file.removal === 'none' && !isThere)
      found.push({ kind: 'lost', text: this.#tell('Acknowledged, and not there', file, row) })
    if (file.removal === 'acknowledged' && row && !row.isDeleted)
      found.push(this.#wrong('Acknowledged as deleted, and not deleted', file, row))
    if (row?.state === ready && (row.size !== file.size || row.checksum !== file.sha256))
      found.push(this.#wrong('Size or checksum are not as sent', file, row))
    if (row && file.id !== undefined && file.id !== row.id && file.id !== row.publicId)
      found.push(this.#wrong('The answer named another id', file, row))
    return found
  }

  /** Looks at histories, since what was Ready may be deleted by now. */
  #checkGroup({ files }: SentGroup, rowOf: Map<SentFile, Row>): Violation[] {
    const wasReady = (file: SentFile) => {
      const row = rowOf.get(file)
      return row !== undefined && this.#historyOf(row.id).some(({ to }) => to === ready)
    }
    const count = files.filter(wasReady).length
    const isSound = files.every((file) => file.isSound)
    if (count === 0 || (isSound && count === files.length)) return []
    const what = isSound ? 'Only a part of what was sent together is Ready' : 'Ready, though it must never be'
    const all = files.map((file) => this.#tell(nameOf(file), file, rowOf.get(file)))
    return [{ kind: 'wrong', text: `${what}:\n${all.join('\n')}` }]
  }

  #wrong(what: string, file: SentFile | undefined, row: Row | undefined): Violation {
    return { kind: 'wrong', text: this.#tell(what, file, row) }
  }

  #tell(what: string, file: SentFile | undefined, row: Row | undefined, key?: Key): string {
    const sent = file ?? (row && this.#journal.byName.get(row.name))
    return accountOf(what, { file: sent, row, key, history: row && this.#historyOf(row.id) })
  }
}
