import type { App } from '../app.ts'

/**
 * What every answer says unless its route says otherwise: it is what its type says, and no cache keeps it. An answer of either
 * API is for one user at one moment, and a `file_url` in it is a credential.
 */
export const answerHeaders = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' }

export function setAnswerHeaders(app: App): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(answerHeaders)
  })
}
