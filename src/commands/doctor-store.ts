import type { Config } from '#config/config.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { probeAbort, probeShape, probeUse, shapes } from '#store/probe.ts'
import { adviceFor, rootCause } from '#store/s3/advice.ts'
import { openS3Store, type S3StoreOptions } from '#store/s3/s3-store.ts'
import type { Report } from './doctor-report.ts'
import { openStore, s3Options } from './open-resources.ts'

const answerSeconds = 10
const transferSeconds = 30
const partSize = 5 * 2 ** 20

/** Checks that the store takes, keeps, gives back and forgets objects, in every way in which the server sends them. */
export async function checkStore(config: Config, report: Report): Promise<void> {
  await using cleanup = new AsyncDisposableStack()
  const found = await report.check(
    'store',
    async () => requireAnswer(cleanup.adopt(await openStore(config), (store) => store.close())),
    ({ description }) => description,
  )
  if (!found) return
  const options = s3Options(config)
  if (!options) {
    await report.check('store, write, read and delete', () => within((signal) => use(found, signal)))
    return
  }
  const store = cleanup.adopt(openProbed(options), (opened) => opened.close())
  const failures: Failure[] = []
  for (const { name, run } of checks) {
    const told = await within((signal) => run(store, signal)).catch(
      (error: Error) => void failures.push({ name, error }),
    )
    if (told !== undefined) await report.check(name, async () => told)
  }
  const remedy = failures.length > 0 ? await findRemedy(options, failures) : ''
  for (const { name, error } of failures)
    await report.check(name, () => Promise.reject(new Error(`${explain(error)}${remedy}`)))
}

interface Failure {
  name: string
  error: Error
}

type Check = { name: string; run(store: ObjectStore, signal: AbortSignal): Promise<string> }

const checks: Check[] = [
  {
    name: 'store, multipart upload',
    async run(store, signal) {
      await probeShape(store, shapes.parts, signal)
      await probeAbort(store, signal)
      return 'works'
    },
  },
  {
    name: 'store, announced upload',
    run: async (store, signal) => `works, ${Math.round(await probeShape(store, shapes.stream, signal))} ms for 300 KiB`,
  },
  { name: 'store, write, read and delete', run: use },
]

async function use(store: ObjectStore, signal: AbortSignal): Promise<string> {
  await probeShape(store, shapes.single, signal)
  const { refusesTakenKeys } = await probeUse(store, signal)
  return refusesTakenKeys ? 'works' : 'works; a key that is taken may be written twice'
}

/** Opens the store as the server does, except that a small object already has two parts. */
function openProbed(options: S3StoreOptions): ObjectStore {
  return openS3Store({ ...options, partSize, maxObjectSize: Math.max(options.maxObjectSize, 2 * partSize) })
}

async function requireAnswer(store: ObjectStore): Promise<ObjectStore> {
  const signal = AbortSignal.timeout(answerSeconds * 1000)
  try {
    await store.check(signal)
    return store
  } catch (error) {
    if (!signal.aborted) throw error
    throw new Error(`${store.description} does not answer within ${answerSeconds} s: correct S3_ENDPOINT.`)
  }
}

async function within<T>(probe: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(transferSeconds * 1000)
  try {
    return await probe(signal)
  } catch (error) {
    throw signal.aborted ? new Error(`not done within ${transferSeconds} s`) : error
  }
}

/** The store's own words, and the remedy where its code names one. */
function explain(error: Error): string {
  const { name, message } = rootCause(error)
  const told = name === 'Error' ? message : message === 'UnknownError' ? name : `${name}: ${message}`
  const advice = adviceFor(error)
  return advice === undefined ? told : `${told.replace(/\.$/, '')}. ${advice}`
}

/** The ways of sending, from the one with the most guarantees to the one with the fewest. */
const ways = [
  { checksums: 'crc32', conditionalWrites: true },
  { checksums: 'crc32', conditionalWrites: false },
  { checksums: 'off', conditionalWrites: true },
  { checksums: 'off', conditionalWrites: false },
] as const

/**
 * Tries the other settings until all checks pass.
 * @returns an advice that names the settings; empty where another way of sending does not help
 */
async function findRemedy(options: S3StoreOptions, failures: readonly Failure[]): Promise<string> {
  if (failures.every(({ error }) => adviceFor(error) !== undefined)) return ''
  for (const way of ways) {
    const isCurrent =
      way.checksums === options.checksums && way.conditionalWrites === (options.conditionalWrites ?? true)
    if (!isCurrent && (await works({ ...options, ...way })))
      return `. It works with ${settingsOf(way, options)}: set that.`
  }
  return ''
}

async function works(options: S3StoreOptions): Promise<boolean> {
  const store = openProbed(options)
  try {
    await within(async (signal) => {
      for (const { run } of checks) await run(store, signal)
    })
    return true
  } catch {
    return false
  } finally {
    await store.close()
  }
}

/** The settings of a way that differ from the present ones. */
function settingsOf({ checksums, conditionalWrites }: (typeof ways)[number], options: S3StoreOptions): string {
  return [
    ...(checksums === options.checksums ? [] : [`S3_CHECKSUMS=${checksums}`]),
    ...(conditionalWrites === (options.conditionalWrites ?? true)
      ? []
      : [`S3_CONDITIONAL_WRITES=${conditionalWrites}`]),
  ].join(' and ')
}
