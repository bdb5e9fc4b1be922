import type { Config } from '#config/config.ts'
import type { ObjectStore } from '#store/object-store.ts'
import { probeAbort, probeShape, probeUse, shapes } from '#store/probe.ts'
import { adviceFor, rootCause } from '#store/s3/advice.ts'
import { openS3Store, type S3StoreOptions } from '#store/s3/s3-store.ts'
import type { Report } from './doctor-report.ts'
import { openStore, s3Options } from './open-resources.ts'

const responseSeconds = 10
const transferSeconds = 30
const partSize = 5 * 2 ** 20

/** Checks that the store writes, keeps, reads and deletes objects, with every upload method that the server uses. */
export async function checkStore(config: Config, report: Report): Promise<void> {
  await using cleanup = new AsyncDisposableStack()
  const found = await report.check(
    'store',
    async () => requireResponse(cleanup.adopt(await openStore(config), (store) => store.close())),
    ({ description }) => description,
  )
  if (!found) return
  const options = s3Options(config)
  if (!options) {
    await report.check('store, write, read and delete', () =>
      withinTransferTime((signal) => writeReadDelete(found, signal)),
    )
    return
  }
  const store = cleanup.adopt(openWithSmallParts(options), (opened) => opened.close())
  const failures: Failure[] = []
  for (const { name, run } of checks) {
    const result = await withinTransferTime((signal) => run(store, signal)).catch(
      (error: Error) => void failures.push({ name, error }),
    )
    if (result !== undefined) await report.check(name, async () => result)
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
    run: async (store, signal) => `works, ${Math.round(await probeShape(store, shapes.stream, signal))} ms for 5 MiB`,
  },
  { name: 'store, write, read and delete', run: writeReadDelete },
]

async function writeReadDelete(store: ObjectStore, signal: AbortSignal): Promise<string> {
  await probeShape(store, shapes.single, signal)
  const { refusesTakenKeys } = await probeUse(store, signal)
  return refusesTakenKeys ? 'works' : 'works; a key that is taken may be written twice'
}

/** Opens the store as the server does, but with small parts, so that a small object has two of them. */
function openWithSmallParts(options: S3StoreOptions): ObjectStore {
  return openS3Store({ ...options, partSize, maxObjectSize: Math.max(options.maxObjectSize, 2 * partSize) })
}

async function requireResponse(store: ObjectStore): Promise<ObjectStore> {
  const signal = AbortSignal.timeout(responseSeconds * 1000)
  try {
    await store.check(signal)
    return store
  } catch (error) {
    if (!signal.aborted) throw error
    throw new Error(`${store.description} does not answer within ${responseSeconds} s: correct S3_ENDPOINT.`)
  }
}

async function withinTransferTime<T>(probe: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(transferSeconds * 1000)
  try {
    return await probe(signal)
  } catch (error) {
    throw signal.aborted ? new Error(`not done within ${transferSeconds} s`) : error
  }
}

/** The error message of the store, and the advice for its error code where one exists. */
function explain(error: Error): string {
  const { name, message } = rootCause(error)
  const text = name === 'Error' ? message : message === 'UnknownError' ? name : `${name}: ${message}`
  const advice = adviceFor(error)
  return advice === undefined ? text : `${text.replace(/\.$/, '')}. ${advice}`
}

/** Combinations of the upload settings, from the most guarantees to the fewest. */
const combinations = [
  { checksums: 'crc32', conditionalWrites: true },
  { checksums: 'crc32', conditionalWrites: false },
  { checksums: 'off', conditionalWrites: true },
  { checksums: 'off', conditionalWrites: false },
] as const

/**
 * Tries the other combinations of the upload settings until all checks pass.
 * @returns advice that names the settings; empty when no combination helps
 */
async function findRemedy(options: S3StoreOptions, failures: readonly Failure[]): Promise<string> {
  if (failures.every(({ error }) => adviceFor(error) !== undefined)) return ''
  for (const combination of combinations) {
    const isCurrent =
      combination.checksums === options.checksums &&
      combination.conditionalWrites === (options.conditionalWrites ?? true)
    if (!isCurrent && (await works({ ...options, ...combination })))
      return `. It works with ${settingsOf(combination, options)}: set that.`
  }
  return ''
}

async function works(options: S3StoreOptions): Promise<boolean> {
  const store = openWithSmallParts(options)
  try {
    await withinTransferTime(async (signal) => {
      for (const { run } of checks) await run(store, signal)
    })
    return true
  } catch {
    return false
  } finally {
    await store.close()
  }
}

/** The settings of a combination that differ from the current ones. */
function settingsOf({ checksums, conditionalWrites }: (typeof combinations)[number], options: S3StoreOptions): string {
  return [
    ...(checksums === options.checksums ? [] : [`S3_CHECKSUMS=${checksums}`]),
    ...(conditionalWrites === (options.conditionalWrites ?? true)
      ? []
      : [`S3_CONDITIONAL_WRITES=${conditionalWrites}`]),
  ].join(' and ')
}
