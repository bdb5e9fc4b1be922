import { createBucket } from '../backends/bucket.ts'
import { contentSha256 } from '../client/content.ts'
import { formWith } from '../client/form.ts'
import { type Stage, startOn } from '../stage.ts'
import type { Contender, Requests } from './contender.ts'

/** A server of `bench/floors/` that takes a file and is asked afterwards whether it has it. */
function uploads(
  name: string,
  script: string,
  kind: Contender['kind'],
  send: 'raw' | 'form',
  stores: boolean,
): Contender {
  return {
    name,
    kind,
    async open(stage) {
      await using opened = new AsyncDisposableStack()
      const bucket = stores ? opened.use(await createBucket(stage.backends)) : undefined
      const env = floorEnvironment(stage, bucket?.name)
      const server = opened.use(await startOn(stage, [`bench/floors/${script}.ts`], env))
      const running = opened.move()
      return {
        server,
        async prepare({ requests, fileBytes }) {
          const raw = { headers: {}, body: { before: '', fileBytes, after: '' } }
          return { method: 'POST', paths: Array(requests).fill('/'), ...(send === 'raw' ? raw : formWith(fileBytes)) }
        },
        async check({ requests, fileBytes }, { answers }) {
          for (const answer of new Set(answers)) checkAnswer(JSON.parse(answer), fileBytes)
          const stored = (await bucket?.keysOf(fileBytes))?.length
          if (stored !== undefined && stored < requests)
            throw new Error(`${name} has confirmed ${requests} files and stored ${stored}`)
        },
        [Symbol.asyncDispose]: () => running.disposeAsync(),
      }
    },
  }
}

function floorEnvironment({ backends }: Stage, bucket = ''): NodeJS.ProcessEnv {
  return { ...backends.s3Environment, NODE_ENV: 'production', S3_BUCKET: bucket }
}

function checkAnswer({ bytes, sha256 }: { bytes?: number; sha256?: string }, fileBytes: number): void {
  if (bytes !== undefined && bytes !== fileBytes) throw new Error(`${fileBytes} bytes were sent, ${bytes} counted`)
  if (sha256 !== undefined && sha256 !== contentSha256(fileBytes)) throw new Error('The sha256 is wrong')
}

export const discard = uploads('body discarded', 'discard', 'floor', 'raw', false)
export const sha256 = uploads('body + sha256', 'sha256', 'floor', 'raw', false)
export const multipart = uploads('body + multipart parse', 'multipart', 'floor', 'form', false)
export const rawPut = uploads('raw put', 'raw-put', 'floor', 'raw', true)
export const sdkPut = uploads('SDK put', 'sdk-put', 'other', 'raw', true)
export const libStorage = uploads('fastify + lib-storage', 'lib-storage', 'other', 'form', true)
export const multerS3 = uploads('multer-s3', 'multer-s3', 'other', 'form', true)

/** Reads the very objects that Stowage reads. */
function downloads(name: string, script: string, kind: Contender['kind']): Contender {
  return {
    name,
    kind,
    async open(stage) {
      const { bucket, downloads } = stage.fixture
      const server = await startOn(stage, [`bench/floors/${script}.ts`], floorEnvironment(stage, bucket.name))
      return {
        server,
        async prepare({ requests, fileBytes }): Promise<Requests> {
          const key = downloads.get(fileBytes)?.objectKey
          return { method: 'GET', paths: Array(requests).fill(`/${key}`), headers: {}, download: { bytes: fileBytes } }
        },
        async check() {},
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      }
    },
  }
}

export const rawGet = downloads('raw get', 'raw-get', 'floor')
export const sdkGet = downloads('SDK get', 'sdk-get', 'other')
