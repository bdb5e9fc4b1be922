import { buildWorker } from '#worker.ts'
import { reachDatabase } from './open-resources.ts'
import { runApp } from './run-app.ts'

/** `stowage work`: runs the workers alone, beside servers that run without them, until SIGTERM or Ctrl-C. */
export async function work(env: NodeJS.ProcessEnv): Promise<void> {
  await runApp(env, { database: reachDatabase, build: buildWorker })
}
