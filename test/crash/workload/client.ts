import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, exchange, type Request } from '../../kit/paced-request.ts'
import { SeededRandom } from '../../kit/seeded-random.ts'
import type { Chat } from '../cluster/chat.ts'
import type { Journal, SentFile } from './journal.ts'

/** Somebody who uses the chat: sends requests, and writes down what it sends and what it is answered. */
export interface Client {
  random: SeededRandom
  journal: Journal
  chat: Chat
  /** Over the cookie API, or with the token when `isBearer`. `undefined` when the exchange broke off. */
  ask(request: Ask): Promise<Answer | undefined>
  /** The campaign wants the clients to come to rest: nothing new is to be begun. */
  isLeaving(): boolean
}

export type Ask = Omit<Request, 'headers'> & {
  headers?: Record<string, string>
  isBearer?: boolean
  json?: object
  /** Another token than that of user 1. */
  authorization?: string
}

/** Does one thing that users do. */
export type Act = (client: Client) => Promise<void>

export interface ClientOptions {
  journal: Journal
  chat: Chat
  seed: number
  /** Where to, asked before each request. */
  url: () => string
  isLeaving: () => boolean
}

/** Milliseconds before a client asks for anything else once a server has failed it. */
const hesitation = 100

export function makeClient({ journal, chat, seed, url, isLeaving }: ClientOptions): Client {
  return {
    random: new SeededRandom(seed),
    journal,
    chat,
    isLeaving,
    async ask({ isBearer = false, json, authorization, ...request }) {
      const who: Record<string, string> =
        isBearer || authorization ? { authorization: authorization ?? chat.authorization } : { cookie: chat.cookie }
      const type = json && { 'content-type': 'application/json' }
      const body = json ? Buffer.from(JSON.stringify(json)) : request.body
      const headers = { ...who, ...type, ...request.headers }
      try {
        const answer = await exchange(url(), { ...request, headers, ...(body && { body }) })
        journal.count(answer.status)
        if (answer.status >= 500) await delay(hesitation)
        return answer
      } catch {
        journal.count(0)
        await delay(hesitation)
        return undefined
      }
    },
  }
}

export function isOk(answer: Answer | undefined): answer is Answer {
  return answer !== undefined && answer.status >= 200 && answer.status < 300
}

export function jsonOf<T>({ body }: Answer): T {
  return JSON.parse(body.toString()) as T
}

/** An acknowledged file that nobody is at work on, now taken. */
export function takeAny({ journal, random }: Client): SentFile | undefined {
  const free = journal.alive.filter(({ isBusy }) => !isBusy)
  const file = free[random.between(0, Math.max(0, free.length - 1))]
  if (file) file.isBusy = true
  return file
}
