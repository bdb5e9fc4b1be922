import { pipeline, type Readable, Transform } from 'node:stream'
import type { ObjectStore } from '#store/object-store.ts'

/** What a server reads from its store. */
export interface ReadLog {
  /** Streams that the store has given out. */
  opened: number
  /** Those of them that are closed. */
  closed: number
  /** Bytes that were taken from the store, over all streams. */
  pulled: number
}

/** For `wrapStore`: writes down what is read. */
export function watchReads(log: ReadLog): (store: ObjectStore) => ObjectStore {
  return readThrough((source) => {
    log.opened += 1
    source.once('close', () => {
      log.closed += 1
    })
    const counter = new Transform({
      transform(chunk: Buffer, _encoding, callback) {
        log.pulled += chunk.length
        callback(null, chunk)
      },
    })
    return pipeline(source, counter, () => {})
  })
}

/** For `wrapStore`: what is read comes through `change`. */
export function readThrough(change: (source: Readable) => Readable): (store: ObjectStore) => ObjectStore {
  return (store) => ({ ...store, get: async (key, options) => change(await store.get(key, options)) })
}
