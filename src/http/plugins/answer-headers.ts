import type { App } from '../app.ts'

/**
 * What every answer says unless its route says otherwise: it is what its type says, and a cache asks before it gives it again. An
 * answer of either API is for one user at one moment. Not `no-store`: with that, Chromium holds the connection of an answer that
 * a page does not read, as one that only wants its upload done.
 */
export const answerHeaders = { 'x-content-type-options': 'nosniff', 'cache-control': 'private, no-cache' }

export function setAnswerHeaders(app: App): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(answerHeaders)
  })
}
