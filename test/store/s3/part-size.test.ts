import t from 'tap'
import { bestPartSize, leastPartSize } from '#store/s3/part-size.ts'

const mebibyte = 1024 ** 2
const gibibyte = 1024 ** 3

t.test('Parts grow with the largest object, so that 10,000 are enough', async (t) => {
  t.equal(leastPartSize(1), 5 * mebibyte)
  t.equal(leastPartSize(5 * gibibyte), leastPartSize(1))
  for (const size of [100, 500, 5000].map((gibibytes) => gibibytes * gibibyte)) {
    for (const partSize of [leastPartSize(size), bestPartSize(size)]) {
      t.ok(partSize * 10_000 >= size)
      t.equal(partSize % mebibyte, 0)
    }
    t.ok((leastPartSize(size) - mebibyte) * 10_000 < size, 'no larger than need be')
  }
})

t.test('A body that may be large is worth larger parts', async (t) => {
  for (const size of [0, 1, 64 * mebibyte - 1]) t.equal(bestPartSize(size), leastPartSize(size))
  for (const size of [64 * mebibyte, gibibyte, 100 * gibibyte]) t.equal(bestPartSize(size), 16 * mebibyte)
  t.equal(bestPartSize(5000 * gibibyte), leastPartSize(5000 * gibibyte))
})
