import { HeadBucketCommand } from '@aws-sdk/client-s3'
import type { S3Bucket } from './bucket.ts'
import { statusOf } from './errors.ts'

/** How many questions in a row the store must leave unanswered. */
const mostUnanswered = 2

/**
 * Waits for an answer that may take its time. Another question is asked meanwhile: a store that answers it is slow, not silent. So
 * the end of a store is noticed soon, and a store that copies parts is given the time.
 */
export async function whileStoreAnswers<T>(
  store: S3Bucket,
  send: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  const silent = new AbortController()
  const pause = store.timeouts.silence / 2
  let unanswered = 0
  let timer: NodeJS.Timeout | undefined
  const ask = async () => {
    const isAlive = await answers(store, AbortSignal.any([silent.signal, AbortSignal.timeout(pause)]))
    unanswered = isAlive ? 0 : unanswered + 1
    if (silent.signal.aborted) return
    if (unanswered === mostUnanswered) return silent.abort('The object store answers nothing at all.')
    timer = setTimeout(ask, isAlive ? pause : 0)
  }
  timer = setTimeout(ask, pause)
  try {
    return await send(silent.signal)
  } finally {
    clearTimeout(timer)
    silent.abort('The store has answered.')
  }
}

/** Whether the store answers; a refusal is an answer too. */
async function answers({ client, bucket }: S3Bucket, abortSignal: AbortSignal): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal })
    return true
  } catch (error) {
    return statusOf(error) !== undefined
  }
}
