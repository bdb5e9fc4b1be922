import http from 'node:http'
import https from 'node:https'

/**
 * What a connection is for. Reads have connections of their own: a slow reader holds the connection of its object, and must
 * neither keep uploads waiting nor be taken for a silent store. Requests for which no client waits have their own too: lists,
 * deletions and the reads of workers go on when readers hold all of theirs. Questions (HEAD) follow a response that was lost
 * or came early: not over the connection that is closed for that reason.
 */
export type Purpose = 'upload' | 'question' | 'read' | 'background'

/** The two agents that the SDK's handler takes. */
export interface Agents {
  httpAgent: http.Agent
  httpsAgent: https.Agent
}

/** The connections to the store, which are kept for further requests. */
export class Connections {
  readonly #kept: Record<Purpose, Agents>
  /** Connections for a single request each. */
  readonly once: Agents = agents({ keepAlive: false })

  /** @param most connections for each purpose */
  constructor(most: number) {
    const kept = () => agents({ keepAlive: true, maxSockets: most })
    this.#kept = { upload: kept(), question: kept(), read: kept(), background: kept() }
  }

  for(purpose: Purpose): Agents {
    return this.#kept[purpose]
  }

  close(): void {
    for (const { httpAgent, httpsAgent } of [...Object.values(this.#kept), this.once]) {
      httpAgent.destroy()
      httpsAgent.destroy()
    }
  }
}

function agents(options: http.AgentOptions): Agents {
  return { httpAgent: new http.Agent(options), httpsAgent: new https.Agent(options) }
}
