/**
 * A stand-in for the server: holds the embedded Postgres of the directory in its argument, tells about it on stdout
 * as one line of JSON, and goes on through SIGINT, as a draining server does, until its stdin closes.
 */
import { once } from 'node:events'
import { startEmbeddedPostgres } from '#dev/embedded-postgres/embedded-postgres.ts'

process.on('SIGINT', () => console.log('draining'))
const postgres = await startEmbeddedPostgres({ directory: process.argv[2] as string })
console.log(JSON.stringify({ url: postgres.url }))
process.stdin.resume()
await once(process.stdin, 'end')
await postgres.stop()
