import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { startPolling } from '#async/poll-loop.ts'
import { until } from '../kit/until.ts'

const warnings: unknown[] = []
const log = { warn: (line: unknown) => void warnings.push(line) } as unknown as Parameters<
  typeof startPolling
>[0]['log']
const hour = 3_600_000

t.test('runs at once, and again as long as there is more to do', async (t) => {
  let runs = 0
  const job = async () => {
    runs += 1
    return runs < 5
  }
  const worker = startPolling({ name: 'test', every: hour, log, job })
  await until('five runs', () => runs === 5)
  await worker.stop()
  t.equal(runs, 5)
})

t.test('a wake-up is heard, also in the middle of a run', async (t) => {
  let runs = 0
  let finish = () => {}
  const job = () => {
    runs += 1
    return new Promise<boolean>((resolve) => {
      finish = () => resolve(false)
    })
  }
  const worker = startPolling({ name: 'test', every: hour, log, job })
  await until('the first run', () => runs === 1)
  worker.wake()
  finish()
  await until('the second run', () => runs === 2)
  finish()
  await turn()
  worker.wake()
  await until('the third run', () => runs === 3)
  finish()
  await worker.stop()
  t.equal(runs, 3)
})

t.test('a failing run is logged, and the next comes', async (t) => {
  let runs = 0
  const job = async () => {
    runs += 1
    throw new Error('no')
  }
  const worker = startPolling({ name: 'test', every: 10, log, job })
  await until('three runs', () => runs >= 3)
  await worker.stop()
  t.match(warnings[0], { worker: 'test', err: { message: 'no' } })
})

t.test('stopping waits for the run under way', async (t) => {
  let ended = false
  const job = async (signal: AbortSignal) => {
    await until('the signal', () => signal.aborted)
    ended = true
    return true
  }
  const worker = startPolling({ name: 'test', every: hour, log, job })
  await worker.stop()
  t.equal(ended, true)
})

t.test('runs that fail come more and more seldom, and are not woken', async (t) => {
  const starts: number[] = []
  const job = async () => {
    starts.push(performance.now())
    throw new Error('no')
  }
  const every = 100
  const worker = startPolling({ name: 'test', every, log, job })
  const waking = setInterval(() => worker.wake(), 1)
  await until('five runs', () => starts.length >= 5)
  clearInterval(waking)
  await worker.stop()
  const pauses = starts.slice(1).map((at, index) => at - (starts[index] as number))
  for (const pause of pauses) t.ok(pause >= every * 0.7, `${Math.round(pause)} ms`)
  for (const pause of pauses.slice(1)) t.ok(pause >= every * 1.4, `${Math.round(pause)} ms after several`)
})

t.test('a run that hangs is given up, told to end, and followed by another', async (t) => {
  warnings.length = 0
  const signals: AbortSignal[] = []
  const job = (signal: AbortSignal) => {
    signals.push(signal)
    return signals.length === 1 ? new Promise<boolean>(() => {}) : Promise.resolve(false)
  }
  const worker = startPolling({ name: 'test', every: 10, limit: 50, log, job })
  await until('another run', () => signals.length >= 2)
  t.equal(signals[0]?.aborted, true)
  t.match(warnings, [{ worker: 'test', err: { message: /not ended within 50 ms/ } }])
  await worker.stop()
})

t.test('stopping does not wait for ever for a run that hangs', async (t) => {
  warnings.length = 0
  const worker = startPolling({ name: 'test', every: hour, stopLimit: 50, log, job: () => new Promise(() => {}) })
  await worker.stop()
  t.match(warnings, [{ worker: 'test' }])
})
