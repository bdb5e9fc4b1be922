import type { DatabaseClient } from '../../db/client.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import type { App } from '../app.ts'
import { withinLimit } from './within-limit.ts'

export interface Health {
  database: DatabaseClient
  store: ObjectStore
  /** True from the moment the server is asked to stop. */
  isDraining(): boolean
}

/** `GET /livez`: the process answers. `GET /readyz`: it can take work: database and store answer, and it is not stopping. */
export function healthRoutes(app: App, { database, store, isDraining }: Health): void {
  app.get('/livez', { logLevel: 'silent' }, async () => ({ status: 'ok' }))
  app.get('/readyz', { logLevel: 'silent' }, async (_request, reply) => {
    const [databaseAnswers, storeAnswers] = await Promise.all([
      answersInTime(() => database.ping()),
      answersInTime((signal) => store.check(signal)),
    ])
    const draining = isDraining()
    const ready = databaseAnswers && storeAnswers && !draining
    const checks = { database: word(databaseAnswers), store: word(storeAnswers), draining }
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', ...checks })
  })
}

async function answersInTime(check: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  const answered = await withinLimit(async (signal) => {
    await check(signal)
    return true
  })
  return answered ?? false
}

function word(answers: boolean): string {
  return answers ? 'ok' : 'unavailable'
}
