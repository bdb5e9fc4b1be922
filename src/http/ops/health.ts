import type { DatabaseClient } from '../../db/client.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import type { App } from '../app.ts'

const timeLimit = 3000

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
      withinLimit(() => database.ping()),
      withinLimit((signal) => store.check(signal)),
    ])
    const draining = isDraining()
    const ready = databaseAnswers && storeAnswers && !draining
    const checks = { database: word(databaseAnswers), store: word(storeAnswers), draining }
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', ...checks })
  })
}

async function withinLimit(check: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  const signal = AbortSignal.timeout(timeLimit)
  const late = new Promise<false>((resolve) => signal.addEventListener('abort', () => resolve(false), { once: true }))
  const answered = check(signal).then(
    () => true,
    () => false,
  )
  return Promise.race([answered, late])
}

function word(answers: boolean): string {
  return answers ? 'ok' : 'unavailable'
}
