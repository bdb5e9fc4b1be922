import { setTimeout as delay } from 'node:timers/promises'

/** Resolves with the first value of `look` that is true enough; rejects, saying what was waited for, after `seconds`. */
export async function until<T>(what: string, look: () => T | Promise<T>, seconds = 20): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  while (true) {
    const seen = await look()
    if (seen) return seen
    if (performance.now() > deadline) throw new Error(`Waited ${seconds} s in vain: ${what}`)
    await delay(20)
  }
}
