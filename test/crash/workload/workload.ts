import { SeededRandom } from '../../kit/seeded-random.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { chooseByShare } from './choose.ts'
import { type Act, type Client, makeClient } from './client.ts'
import { Journal } from './journal.ts'
import { download, rename } from './read.ts'
import { removeFile, removeMessage, removeRoom, removeUser } from './remove.ts'
import { hangUp, hangUpLarge, sendWrongDigest, uploadBearerForm, uploadForm, uploadLargeForm } from './upload-form.ts'
import { deleteMidUpload, uploadReserved } from './upload-reserved.ts'

/** Everything that clients do, by name, and how often in a hundred. */
const acts = {
  uploadForm: { act: uploadForm, share: 27 },
  uploadLargeForm: { act: uploadLargeForm, share: 3 },
  uploadBearerForm: { act: uploadBearerForm, share: 12 },
  uploadReserved: { act: uploadReserved, share: 15 },
  deleteMidUpload: { act: deleteMidUpload, share: 3 },
  hangUp: { act: hangUp, share: 4 },
  hangUpLarge: { act: hangUpLarge, share: 2 },
  sendWrongDigest: { act: sendWrongDigest, share: 3 },
  removeFile: { act: removeFile, share: 14 },
  removeMessage: { act: removeMessage, share: 2 },
  removeRoom: { act: removeRoom, share: 1 },
  removeUser: { act: removeUser, share: 1 },
  rename: { act: rename, share: 4 },
  download: { act: download, share: 9 },
} satisfies Record<string, { act: Act; share: number }>

export type ActName = keyof typeof acts

/** What some of the clients do more than anything else, and at which server. */
export interface Emphasis {
  acts: readonly ActName[]
  url: string
}

const clients = 8

/** Files that are kept at most, about: the bucket stays small, and so does what is read again at the end. */
const mostAlive = 120

/** Clients that use the chat all the time, but for pauses. */
export class Workload {
  readonly journal = new Journal()
  readonly #cluster: Cluster
  readonly #random: SeededRandom
  #isPausing = true
  #emphasis: Emphasis | undefined
  #running: Promise<void>[] = []

  constructor(cluster: Cluster, seed: number) {
    this.#cluster = cluster
    this.#random = new SeededRandom(seed)
  }

  resume(): void {
    this.#isPausing = false
    this.#running = Array.from({ length: clients }, (_, index) => this.#work(index))
  }

  /** Resolves when every client has finished what it was doing. */
  async pause(): Promise<void> {
    this.#isPausing = true
    await Promise.all(this.#running)
    this.#running = []
  }

  /** From now on half of the clients do this; `undefined` ends it. */
  emphasise(emphasis: Emphasis | undefined): void {
    this.#emphasis = emphasis
  }

  async #work(index: number): Promise<void> {
    const { chat, url } = this.#cluster
    let emphasis: Emphasis | undefined
    const client = makeClient({
      journal: this.journal,
      chat,
      seed: this.#random.between(0, 2 ** 31),
      url: () => emphasis?.url ?? url,
      isLeaving: () => this.#isPausing,
    })
    while (!this.#isPausing) {
      emphasis = index % 2 === 0 ? this.#emphasis : undefined
      await this.#choose(client, emphasis)(client)
    }
  }

  #choose({ random }: Client, emphasis: Emphasis | undefined): Act {
    if (emphasis) {
      const name = emphasis.acts[random.between(0, emphasis.acts.length - 1)] as ActName
      return acts[name].act
    }
    if (this.journal.alive.length > mostAlive) return removeFile
    return chooseByShare(random, Object.values(acts)).act
  }
}
