/** A file that a client sent, as the client knows it. */
export interface SentFile {
  /** The first it was sent under, and every other it was asked to take: no other file of the run has any of them. */
  names: string[]
  size: number
  sha256: string
  /** False for one that must never become Ready: broken off, or sent with a digest of other bytes. */
  isSound: boolean
  /** An integer of the cookie API or a string of the bearer API, once an answer has named it. */
  id?: number | string
  /** A 2xx has said that it is kept. */
  isAcknowledged: boolean
  /** `asked` when it was asked to go and nobody knows whether it went. */
  removal: 'none' | 'asked' | 'acknowledged'
  /** A client is at work on it, so others leave it alone. */
  isBusy: boolean
  group: SentGroup
}

/** The files of one request: they become Ready together or not at all. */
export interface SentGroup {
  number: number
  /** How they were sent, in words. */
  way: string
  files: SentFile[]
}

/** Something that must not be. */
export interface Violation {
  kind: 'lost' | 'wrong' | 'orphaned'
  /** What, with all that helps to understand it. */
  text: string
}

export type Content = Pick<SentFile, 'size' | 'sha256'>

/** What all clients of a campaign sent, written down before it was sent, and what they were answered. */
export class Journal {
  readonly groups: SentGroup[] = []
  /** By every one of its names. */
  readonly byName = new Map<string, SentFile>()
  readonly violations: Violation[] = []
  /** How often each status was answered; 0 counts the requests that broke off. */
  readonly answers = new Map<number, number>()
  uploadsAcknowledged = 0
  removalsAcknowledged = 0
  #alive: SentFile[] = []
  #number = 0

  /** A number that nothing else in the campaign has; 1 is the chat's own. */
  nextNumber(): number {
    this.#number += 1
    return 1000 + this.#number
  }

  add(way: string, isSound: boolean, contents: readonly Content[]): SentGroup {
    const number = this.nextNumber()
    const group: SentGroup = { number, way, files: [] }
    contents.forEach(({ size, sha256 }, index) => {
      const state = { isSound, isAcknowledged: false, removal: 'none', isBusy: true } as const
      const file: SentFile = { names: [], size, sha256, ...state, group }
      this.name(file, `file-${number}-${index + 1}.bin`)
      group.files.push(file)
    })
    this.groups.push(group)
    return group
  }

  /** Notes that a file may go by this name from now on. */
  name(file: SentFile, name: string): void {
    file.names.push(name)
    this.byName.set(name, file)
  }

  /** Notes that a 2xx was answered, which named the files so, in the order of the group. */
  acknowledge(group: SentGroup, ids: readonly (number | string)[]): void {
    group.files.forEach((file, index) => {
      file.id = ids[index] as number | string
      file.isAcknowledged = true
      this.uploadsAcknowledged += 1
      if (file.removal === 'none') this.#alive.push(file)
    })
  }

  /** To be called before anybody is asked to remove them. */
  removalAsked(files: readonly SentFile[]): void {
    for (const file of files) file.removal = 'asked'
    this.#alive = this.#alive.filter((file) => !files.includes(file))
  }

  removalAcknowledged(files: readonly SentFile[]): void {
    for (const file of files) file.removal = 'acknowledged'
    this.removalsAcknowledged += files.length
  }

  release(files: readonly SentFile[]): void {
    for (const file of files) file.isBusy = false
  }

  /** Acknowledged files that nobody asked to remove. */
  get alive(): readonly SentFile[] {
    return this.#alive
  }

  /** Requests that were answered with 5xx. */
  get refused(): number {
    return [...this.answers].filter(([status]) => status >= 500).reduce((sum, [, count]) => sum + count, 0)
  }

  /** Requests that broke off. */
  get broken(): number {
    return this.answers.get(0) ?? 0
  }

  get failed(): number {
    return this.refused + this.broken
  }

  count(status: number): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1)
  }
}

/** The name it goes by, unless a rename is under way. */
export function nameOf(file: SentFile): string {
  return file.names.at(-1) as string
}
