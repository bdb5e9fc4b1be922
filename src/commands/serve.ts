import type { Config } from '#config/config.ts'
import { buildServer } from '#server.ts'
import { buildWorker } from '#worker.ts'
import { loadDemo } from './dev-folder.ts'
import { reachDatabase, runDatabase, urlSigningKeyOf } from './open-resources.ts'
import { runApp } from './run-app.ts'
import type { Options } from './usage.ts'

/** `stowage serve [--no-workers]`: runs the server until SIGTERM or Ctrl-C, then lets transfers finish. */
export async function serve(env: NodeJS.ProcessEnv, options: Options): Promise<void> {
  await runApp(env, {
    database: (config) => runDatabase(config, (message) => console.error(message)),
    async build(parts) {
      // A missing demo ends the start before the server listens.
      if (isDemoOn(parts.config)) await loadDemo()
      const urlSigningKey = await urlSigningKeyOf(parts.config)
      return buildServer({ ...parts, urlSigningKey, withWorkers: !options['no-workers'] })
    },
    async onReady(app, { config, database }) {
      if (!isDemoOn(config)) return
      const { demoText } = await loadDemo()
      console.log(await demoText(app, database.db, config))
    },
  })
}

function isDemoOn({ demo, databaseUrl }: Config): boolean {
  return Boolean(demo ?? databaseUrl === undefined)
}

/** `stowage work`: runs only the workers, for servers with `--no-workers`, until SIGTERM or Ctrl-C. */
export async function work(env: NodeJS.ProcessEnv): Promise<void> {
  await runApp(env, { database: reachDatabase, build: buildWorker })
}
