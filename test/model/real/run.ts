import assert from 'node:assert/strict'
import { request } from '../../kit/http-client.ts'
import type { Upload } from '../expected/upload.ts'
import { type RawRequest, Sending } from './sending.ts'
import type { Stage } from './stage.ts'

/** The servers as one run sees them, and its requests that are under way. */
export class Run {
  readonly stage: Stage
  readonly #sendings = new Map<number, Sending>()
  readonly #beginnings = new Map<number, readonly number[]>()

  constructor(stage: Stage) {
    this.stage = stage
  }

  /** Asks a replica for a path of the cookie API. */
  async ask(replica: number, method: string, path: string, body?: unknown): Promise<Response> {
    const url = await this.stage.replicas.url(replica)
    return request(url, method, `/api/v1${path}`, { headers: this.stage.cookie, json: body })
  }

  /** Reads a path of the cookie API at an address. */
  read(url: string, path: string): Promise<Response> {
    return request(url, 'GET', `/api/v1${path}`, { headers: this.stage.cookie })
  }

  /** As the chat's backend does. */
  async deleteMessage(replica: number, id: number): Promise<number> {
    const url = await this.stage.replicas.url(replica)
    return (await request(url, 'DELETE', `/v1/messages/${id}`, { headers: this.stage.admin })).status
  }

  async send(replica: number, outgoing: RawRequest): Promise<Sending> {
    return new Sending(await this.stage.replicas.url(replica), outgoing)
  }

  /** @param beginnings of a form, up to where it has to be sent for each of its files to begin */
  keep({ number }: Upload, sending: Sending, beginnings: readonly number[] = []): void {
    this.#sendings.set(number, sending)
    this.#beginnings.set(number, beginnings)
  }

  sending({ number }: Upload): Sending {
    return this.#sendings.get(number) as Sending
  }

  beginnings({ number }: Upload): readonly number[] {
    return this.#beginnings.get(number) ?? []
  }

  count(step: string): void {
    this.stage.counts.set(step, (this.stage.counts.get(step) ?? 0) + 1)
  }

  hangUpAll(): void {
    for (const sending of this.#sendings.values()) sending.hangUp('close')
  }
}

export async function expectStatus(
  what: string,
  answer: Response | Promise<Response>,
  status: number,
): Promise<string> {
  const response = await answer
  const text = await response.text()
  assert.equal(response.status, status, `${what}: ${status} was expected, but ${response.status} came: ${text}`)
  return text
}
