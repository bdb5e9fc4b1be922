import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../kit/until.ts'
import { awaitBack, type Expected, Probes, type Question } from './probes.ts'
import { type Stage, Violated } from './stage.ts'

/** A time in which something that the replicas depend on is away, or not as it should be. */
export interface Outage extends Expected {
  /** What it is then, as in "the store is frozen". */
  name: string
  begin(): Promise<unknown>
  end(): Promise<unknown>
}

/** Seconds in which every replica must have noticed: what a request may take, and what the machine does. */
const noticed = 25

/** Milliseconds that it lasts at least, for the clients to meet it. */
const shortest = 3000

/**
 * Lets the outage last until every replica has noticed, and waits until all is well again.
 * @throws Violated when answers were wrong or late, or when all is not well in time
 */
export async function suffer(stage: Stage, { name, begin, end, refused, given }: Outage): Promise<void> {
  const { replicas } = stage.cluster
  await stage.allStarted()
  const probes = new Probes(replicas, { refused, given })
  await begin()
  try {
    const seen = until('every answer is as expected', () => probes.missing.length === 0, noticed)
    await Promise.all([seen.catch(() => {}), delay(shortest)])
    for (const what of probes.missing)
      probes.violations.push({ kind: 'wrong', text: `${what} is not answered as it must be while ${name}` })
  } finally {
    await end()
    await probes.stop()
  }
  if (probes.violations.length > 0) throw new Violated(probes.violations)
  const figures = [
    ...(refused.length > 0 ? [`refused in ${secondsOf(probes.slowestRefused)}`] : []),
    ...(given.length > 0 ? [`given in ${secondsOf(probes.slowestGiven)}`] : []),
  ]
  await beBack(stage, `${name}: ${figures.join(', ')} at most`, [...refused, ...given])
}

/** Waits until every replica answers again. @throws Violated when that takes too long */
export async function beBack(stage: Stage, what: string, questions: readonly Question[]): Promise<void> {
  const { milliseconds, violations } = await awaitBack(stage.cluster.replicas, questions)
  stage.log(`${what}; back after ${secondsOf(milliseconds)}`)
  if (violations.length > 0) throw new Violated(violations)
}

function secondsOf(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}
