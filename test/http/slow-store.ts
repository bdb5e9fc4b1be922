import { setTimeout as delay } from 'node:timers/promises'
import type { ObjectStore } from '#store/object-store.ts'

/** For `wrapStore`: the store takes no byte of an object for so many milliseconds. */
export function delayPuts(milliseconds: number): (store: ObjectStore) => ObjectStore {
  return (store) => ({
    ...store,
    async put(key, body, options) {
      await delay(milliseconds)
      return store.put(key, body, options)
    },
  })
}
