import { once } from 'node:events'
import { type Exchange, errorBody, type FaultProxy, type Operation } from '../store/fault-proxy.ts'

/** A way for a store to fail. */
export type Failure = (exchange: Exchange) => unknown

export const answers503: Failure = (exchange) => exchange.answer(503, errorBody('SlowDown'))

export const cuts: Failure = (exchange) => exchange.cut()

/** Takes the bytes, and neither does anything with them nor ever says so. */
export const neverAnswers: Failure = (exchange) => {
  exchange.ask()
  exchange.request.resume()
}

/** Takes a good part of the bytes and fails then. */
export const midBody =
  (failure: Failure): Failure =>
  async (exchange) => {
    exchange.ask()
    let taken = 0
    for (exchange.request.resume(); taken < 2 ** 20; ) {
      const [chunk] = await once(exchange.request, 'data')
      taken += chunk.length
    }
    exchange.request.pause()
    await failure(exchange)
  }

/** Does what was asked for, and fails instead of saying so. */
export const answerLost =
  (failure: Failure): Failure =>
  async (exchange) => {
    const { status } = await exchange.deliver()
    if (status !== 200) throw new Error(`The store itself answered ${status}`)
    await failure(exchange)
  }

export const resets: Failure = ({ request }) => request.socket.resetAndDestroy()

/** Fails the first time that `operation` is asked for; everything else passes. @returns how often it failed */
export function failOnce(proxy: FaultProxy, operation: Operation, failure: Failure): () => number {
  let failed = 0
  proxy.fault = (exchange) => {
    if (exchange.operation !== operation || failed > 0) return exchange.pass()
    failed += 1
    return failure(exchange)
  }
  return () => failed
}

/** Fails whenever `operation` is asked for; everything else passes. @returns how often it failed */
export function failAlways(proxy: FaultProxy, operation: Operation, failure: Failure): () => number {
  let failed = 0
  proxy.fault = (exchange) => {
    if (exchange.operation !== operation) return exchange.pass()
    failed += 1
    return failure(exchange)
  }
  return () => failed
}

/** Works until `operation` is asked for, and from then on fails whatever is asked for. @returns how often it failed */
export function failFrom(proxy: FaultProxy, operation: Operation, first: Failure, then: Failure): () => number {
  let failed = 0
  proxy.fault = (exchange) => {
    if (exchange.operation !== operation && failed === 0) return exchange.pass()
    failed += 1
    return failed === 1 ? first(exchange) : then(exchange)
  }
  return () => failed
}

/** Everything passes again. */
export function mend(proxy: FaultProxy): void {
  proxy.fault = (exchange) => exchange.pass()
}
