import { demoText } from '#embedded/demo.ts'
import { buildServer } from '#server.ts'
import { buildWorker } from '#worker.ts'
import { reachDatabase, runDatabase, urlSigningKeyOf } from './parts.ts'
import { runApp } from './run-app.ts'
import type { Options } from './usage.ts'

/** `stowage serve [--no-workers]`: runs the server until SIGTERM or Ctrl-C, then lets transfers finish. */
export async function serve(env: NodeJS.ProcessEnv, options: Options): Promise<void> {
  await runApp(env, {
    database: (config) => runDatabase(config, (message) => console.error(message)),
    async build(parts) {
      const urlSigningKey = await urlSigningKeyOf(parts.config)
      return buildServer({ ...parts, urlSigningKey, withWorkers: !options['no-workers'] })
    },
    async onReady(app, { config, database }) {
      if (config.demo ?? config.databaseUrl === undefined) console.log(await demoText(app, database.db, config))
    },
  })
}

/** `stowage work`: runs only the workers, for servers with `--no-workers`, until SIGTERM or Ctrl-C. */
export async function work(env: NodeJS.ProcessEnv): Promise<void> {
  await runApp(env, { database: reachDatabase, build: buildWorker })
}
