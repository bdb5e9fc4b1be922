import t from 'tap'
import { durableOffset } from '#store/part-rules.ts'

t.test('The durable offset ends at the first part that is missing', async (t) => {
  const part = (number: number, size = 10) => ({ number, size })
  for (const [offset, parts] of [
    [0, []],
    [0, [part(2)]],
    [10, [part(1)]],
    [10, [part(1), part(3)]],
    [30, [part(3), part(1), part(2)]],
    [13, [part(2, 3), part(1)]],
    [7, [part(1), part(1, 7)]],
    [0, [part(1, 0)]],
  ] as const)
    t.equal(durableOffset(parts), offset, JSON.stringify(parts))
})
