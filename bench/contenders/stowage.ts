import { createBucket } from '../backends/bucket.ts'
import { createDatabase } from '../backends/database.ts'
import { formWith } from '../client/form.ts'
import { type Stage, startOn } from '../stage.ts'
import type { Amount, Contender, Requests } from './contender.ts'
import { messageOf, uploadPathOf } from './fixture.ts'
import { checkReady } from './ready.ts'
import { reserve } from './reserve.ts'
import { stowageEnvironment } from './stowage-process.ts'

interface Use {
  /** Whether the fixture's files are read; otherwise the bucket is an empty one of the server's own. */
  isDownload?: boolean
  prepare(stage: Stage, url: string, amount: Amount): Promise<Requests>
}

/** Stowage, used in one way: each server begins with a copy of the fixture's database. */
function stowage(name: string, { isDownload = false, prepare }: Use): Contender {
  return {
    name,
    kind: 'stowage',
    async open(stage) {
      const { backends, fixture } = stage
      await using opened = new AsyncDisposableStack()
      const bucket = isDownload ? fixture.bucket : opened.use(await createBucket(backends))
      const database = opened.use(await createDatabase(backends, fixture.database))
      const env = stowageEnvironment(backends, database, bucket)
      const server = opened.use(await startOn(stage, ['src/main.ts', 'serve'], env, profileFlags(stage)))
      const running = opened.move()
      return {
        server,
        prepare: (amount) => prepare(stage, server.url, amount),
        async check(amount, { answers }) {
          if (!isDownload) await checkReady(fixture, server.url, amount, answers)
        },
        [Symbol.asyncDispose]: () => running.disposeAsync(),
      }
    },
  }
}

function profileFlags({ profiles }: Stage): string[] {
  return profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
}

async function forms({ fixture }: Stage, { requests, fileBytes }: Amount, isDeclared: boolean): Promise<Requests> {
  const { headers, body } = formWith(fileBytes, isDeclared ? { fileSize: fileBytes } : {})
  const paths = Array.from({ length: requests }, (_, index) => uploadPathOf(messageOf(fixture, index)))
  return { method: 'POST', paths, headers: { ...headers, cookie: fixture.cookie }, body }
}

export const form = stowage('Stowage, form', {
  prepare: (stage, _, amount) => forms(stage, amount, false),
})

export const declaredForm = stowage('Stowage, form with fileSize', {
  prepare: (stage, _, amount) => forms(stage, amount, true),
})

/** The attachments are reserved before, which is not measured. */
export const put = stowage('Stowage, raw PUT', {
  async prepare({ fixture }, url, amount) {
    const paths = await reserve(fixture, url, amount)
    const headers = { 'content-type': 'application/octet-stream', cookie: fixture.cookie }
    return { method: 'PUT', paths, headers, body: { before: '', fileBytes: amount.fileBytes, after: '' } }
  },
})

export const download = stowage('Stowage, GET', {
  isDownload: true,
  async prepare({ fixture: { downloads, cookie } }, _, { requests, fileBytes }) {
    const path = downloads.get(fileBytes)?.path
    return { method: 'GET', paths: Array(requests).fill(path), headers: { cookie }, download: { bytes: fileBytes } }
  },
})
