import { StowageError } from '#domain/errors.ts'
import type { ScrubContext } from './under-way.ts'

/** Milliseconds: a store that does not even say that it is there within this time is not. */
const checkTimeout = 10_000

/**
 * After something could not be read or listed: is it that, or the store?
 * @throws StowageError `storage_unavailable` when it is the store
 */
export async function requireStoreAvailable({ store, signal }: Pick<ScrubContext, 'store' | 'signal'>): Promise<void> {
  const limit = AbortSignal.timeout(checkTimeout)
  try {
    await store.check(AbortSignal.any([signal, limit]))
  } catch (error) {
    if (!limit.aborted) throw error
    throw new StowageError('storage_unavailable', `${store.description} does not answer.`, { cause: error })
  }
}
