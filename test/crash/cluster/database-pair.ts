import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { OwnPostgres } from '../../kit/servers/own-postgres.ts'
import { until } from '../../kit/until.ts'
import type { Line } from './line.ts'
import type { Servers } from './servers.ts'

/** A Postgres by way of a line, and a standby that has everything that was acknowledged. */
export interface DatabasePair extends AsyncDisposable {
  /** By way of the line, wherever it leads. */
  url: string
  line: Line
  primary: OwnPostgres
  /** The primary is lost; the standby is promoted, and the line leads to it. Once. */
  failOver(): Promise<void>
}

/** @param directory that the system user of Postgres can enter */
export async function openDatabasePair({ lines }: Servers, directory: string, name: string): Promise<DatabasePair> {
  await using opened = new AsyncDisposableStack()
  const folders = [join(directory, 'primary'), join(directory, 'standby')] as const
  for (const folder of folders) await mkdir(folder)
  const primary = opened.use(await OwnPostgres.create(folders[0]))
  const standby = opened.use(await primary.copy(folders[1]))
  await primary.start()
  await standby.follow(primary)
  await standby.start()
  await until('the standby follows', async () => (await primary.query('select from pg_stat_replication')).length > 0)
  await primary.query("alter system set synchronous_standby_names = '*'")
  await primary.query('select pg_reload_conf()')
  const line = await lines.open(`${name}-database`, primary.url)
  const url = new URL(primary.url)
  url.host = new URL(line.endpoint).host
  const running = opened.move()
  return {
    url: url.href,
    line,
    primary,
    async failOver() {
      await primary.end('SIGQUIT')
      await standby.promote()
      await line.leadTo(standby.url)
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
