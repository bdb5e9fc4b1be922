import fc from 'fast-check'
import t from 'tap'
import { type Clock, RateLimiter } from '#async/rate-limiter.ts'
import { startTestServer } from '../kit/server.ts'
import { only, runScrub, upload } from '../scrub/scrub-run.ts'
import { bytesOf } from '../store/bodies.ts'

const never = new AbortController().signal

/** Time passes only in its waits, and when it is told to. */
function clockFrom(start: number): Clock & { pass(milliseconds: number): void } {
  let time = start
  const pass = (milliseconds: number) => {
    time += milliseconds
  }
  return { now: () => time, pass, wait: async (milliseconds) => pass(milliseconds) }
}

t.test('over any time, no more is read than the rate allows for it and one second more', async () => {
  const steps = fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 300_000 }), idle: fc.nat(5000) }), {
    minLength: 1,
    maxLength: 50,
  })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 65_536, max: 10_000_000 }), steps, async (rate, steps) => {
      const clock = clockFrom(1000)
      const pace = new RateLimiter(rate, clock)
      const readAt: { time: number; bytes: number }[] = []
      for (const { bytes, idle } of steps) {
        readAt.push({ time: clock.now(), bytes })
        await pace.consume(bytes, never)
        clock.pass(idle)
      }
      for (const [first, { time: begin }] of readAt.entries())
        for (const [last, { time: end }] of readAt.entries()) {
          if (last < first) continue
          // The chunk at the end is paid for after it was read; a wait of less than 10 ms is put off.
          const read = readAt.slice(first, last).reduce((sum, { bytes }) => sum + bytes, 0)
          if (read > (rate * (end - begin + 1000 + 10)) / 1000 + 1) return false
        }
      return true
    }),
  )
})

t.test('it waits no longer than the rate demands', async (t) => {
  const clock = clockFrom(0)
  const pace = new RateLimiter(1_000_000, clock)
  for (let chunk = 0; chunk < 100; chunk += 1) await pace.consume(100_000, never)
  t.equal(Math.round(clock.now()), 10_000)
})

t.test('without a limit it never waits', async (t) => {
  const clock = clockFrom(0)
  await new RateLimiter(Number.POSITIVE_INFINITY, clock).consume(10 ** 15, never)
  t.equal(clock.now(), 0)
})

t.test('a wait ends when the signal aborts', async (t) => {
  const stopping = new AbortController()
  const waiting = new RateLimiter(1).consume(1_000_000, stopping.signal)
  stopping.abort()
  await t.rejects(waiting, { name: 'AbortError' })
})

t.test('the rate bounds a real scrub, over all its objects', async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  for (let n = 0; n < 4; n += 1) await upload(server, bytesOf(1_000_000))
  const fast = await runScrub(server)
  const slow = await runScrub(server, { rate: 2_000_000 })
  t.same(slow.counts, only({ whole: 4 }))
  t.ok(slow.result.seconds >= 1.7, `4 MB at 2 MB/s took ${slow.result.seconds} s`)
  t.ok(fast.result.seconds < slow.result.seconds, `without a limit they took ${fast.result.seconds} s`)
})
