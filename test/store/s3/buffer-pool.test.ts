import t from 'tap'
import { type BufferLease, BufferPool, blockSize } from '#store/s3/buffer-pool.ts'

const part = 4 * blockSize

/** As many blocks as there are without waiting, at most `most`; and whether one more had to be waited for. */
async function takeAll(allowance: BufferLease, most = 1000) {
  const blocks: Buffer[] = []
  while (blocks.length < most) {
    const taking = allowance.acquire()
    const block = await Promise.race([taking, settled()])
    if (!block) return { blocks, waiting: taking }
    blocks.push(block)
  }
  return { blocks, waiting: undefined }
}

/** Resolves when everything that could go on without a block coming back has. */
async function settled(): Promise<undefined> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
}

t.test('An upload gets its own part and then what is shared', async (t) => {
  const memory = new BufferPool(3 * blockSize)
  const allowance = memory.open(part)
  const { blocks, waiting } = await takeAll(allowance)
  t.equal(allowance.partSize, part)
  t.equal(blocks.length, 4 + 3)
  t.equal(memory.acquired, 4 + 3)
  t.ok(waiting, 'then it waits')
  for (const block of blocks) t.equal(block.length, blockSize)
  t.equal(new Set(blocks.map((block) => block.buffer)).size, 7, 'no block is lent twice')
})

t.test('An upload that has used up the shared memory keeps no other from its part', async (t) => {
  const memory = new BufferPool(3 * blockSize)
  await takeAll(memory.open(part))
  for (let upload = 1; upload <= 5; upload += 1) {
    const { blocks, waiting } = await takeAll(memory.open(part))
    t.equal(blocks.length, 4)
    t.ok(waiting)
    t.equal(memory.acquired, 7 + 4 * upload)
  }
})

t.test('The shared memory is closed while many uploads hold 256 MiB, and nobody is kept from its part', async (t) => {
  const mebibyte = 2 ** 20
  const memory = new BufferPool(mebibyte)
  await takeAll(memory.open(256 * mebibyte), 1024)
  t.equal(memory.acquired * blockSize, 256 * mebibyte)
  const allowance = memory.open(part, 2 * part)
  t.equal(allowance.partSize, part, 'no larger parts')
  const { blocks, waiting } = await takeAll(allowance)
  t.equal(blocks.length, 4, 'its part and nothing of the shared memory')
  allowance.release(blocks[0] as Buffer)
  t.equal(await waiting, blocks[0])
})

t.test('Whoever waits goes on with its own block that comes back', async (t) => {
  const memory = new BufferPool(0)
  const allowance = memory.open(part)
  const { blocks, waiting } = await takeAll(allowance)
  t.equal(blocks.length, 4)
  allowance.release(blocks[0] as Buffer)
  t.equal(await waiting, blocks[0], 'the same block, used again')
  t.equal(memory.acquired, 4)
})

t.test('Whoever waits goes on with a shared block of somebody else', async (t) => {
  const memory = new BufferPool(blockSize)
  const first = memory.open(part)
  const second = memory.open(part)
  const { blocks } = await takeAll(first, 5)
  const { waiting } = await takeAll(second)
  let isAwake = false
  waiting?.then(() => {
    isAwake = true
  })
  // Returned while it holds five: the shared one comes back.
  first.release(blocks.pop() as Buffer)
  t.equal((await waiting)?.length, blockSize)
  t.ok(isAwake)

  const { waiting: again } = await takeAll(second)
  isAwake = false
  again?.then(() => {
    isAwake = true
  })
  first.release(blocks.pop() as Buffer)
  await settled()
  t.notOk(isAwake, "a block of the other's own part is not to be had")
  t.equal(memory.acquired, 3 + 5)
})

t.test('One shared block wakes all who wait, and one gets it', async (t) => {
  const memory = new BufferPool(blockSize)
  const holder = memory.open(part)
  const { blocks } = await takeAll(holder, 5)
  const others = await Promise.all([1, 2, 3].map(() => takeAll(memory.open(part))))
  let awake = 0
  for (const { waiting } of others) waiting?.then(() => awake++)
  holder.release(blocks[4] as Buffer)
  await settled()
  t.equal(awake, 1)
  t.equal(memory.acquired, 4 + 3 * 4 + 1)
})

t.test('A part is as large as wished when the shared memory can give it', async (t) => {
  const memory = new BufferPool(13 * blockSize)
  const large = [memory.open(part, 2 * part), memory.open(part, 2 * part), memory.open(part, 2 * part)]
  t.same(
    large.map(({ partSize }) => partSize),
    [2 * part, 2 * part, 2 * part],
  )
  const small = memory.open(part, 2 * part)
  t.equal(small.partSize, part, 'one shared block is left, four would be needed')
  t.equal((await takeAll(small)).blocks.length, 4 + 1)

  t.equal((await takeAll(large[0] as BufferLease)).blocks.length, 8, 'all of the large part is sure')
  t.equal(memory.acquired, 5 + 8)
})

t.test('What a large part took out of the shared memory comes back when the upload is over', async (t) => {
  const memory = new BufferPool(4 * blockSize)
  const { waiting } = await (async () => {
    using large = memory.open(part, 2 * part)
    t.equal(large.partSize, 2 * part)
    const other = memory.open(part, 2 * part)
    t.equal(other.partSize, part)
    return await takeAll(other)
  })()
  t.equal((await waiting)?.length, blockSize, 'who waited for the shared memory goes on')
  const next = memory.open(part, 2 * part)
  t.equal(next.partSize, part, 'three of the four are left')
  next[Symbol.dispose]()
})

t.test('A small part gives nothing back that it did not take', async (t) => {
  const memory = new BufferPool(blockSize)
  memory.open(part)[Symbol.dispose]()
  memory.open(part, 2 * part)[Symbol.dispose]()
  t.equal((await takeAll(memory.open(part))).blocks.length, 5)
})

t.test('Blocks are used again, and not kept for ever', async (t) => {
  const memory = new BufferPool(1000 * blockSize)
  const allowance = memory.open(part)
  const { blocks } = await takeAll(allowance, 300)
  t.equal(memory.free, 0)
  for (const block of blocks.slice(0, 200)) allowance.release(block)
  t.equal(memory.free, 200, 'while some are out, all are kept')
  const { blocks: again } = await takeAll(allowance, 50)
  t.ok(again.every((block) => blocks.includes(block)))
  t.equal(memory.free, 150)
  for (const block of [...blocks.slice(200), ...again]) allowance.release(block)
  t.equal(memory.acquired, 0)
  t.equal(memory.free, (64 * 1024 * 1024) / blockSize)
  memory.clear()
  t.equal(memory.free, 0)
})

t.test('However blocks come and go, no more are out than uploads and shared memory allow', async (t) => {
  const memory = new BufferPool(10 * blockSize)
  const uploads = Array.from({ length: 6 }, () => ({ allowance: memory.open(part, 2 * part), blocks: [] as Buffer[] }))
  const most = 6 * 4 + 10
  let waiting = 0
  let mostWaiting = 0
  let random = 1
  for (let step = 0; step < 2000; step += 1) {
    random = (random * 48_271) % 2_147_483_647
    const { allowance, blocks } = uploads[random % 6] as (typeof uploads)[number]
    if (random % 5 < 3) {
      const taking = allowance.acquire()
      const block = await Promise.race([taking, Promise.resolve().then(() => undefined)])
      if (block) blocks.push(block)
      else {
        waiting += 1
        taking.then((late) => {
          waiting -= 1
          blocks.push(late)
        })
      }
    } else if (blocks.length > 0) allowance.release(blocks.pop() as Buffer)
    if (memory.acquired > most) return t.fail(`${memory.acquired} blocks are out`)
    mostWaiting = Math.max(mostWaiting, waiting)
  }
  t.ok(mostWaiting > 10, 'there was not enough for all')
  while (memory.acquired > 0) {
    for (const { allowance, blocks } of uploads) for (const block of blocks.splice(0)) allowance.release(block)
    await settled()
  }
  t.equal(waiting, 0, 'nobody waits for ever')
})

t.test('A body of known size takes at most half of the shared blocks that are left, and gives them back', async (t) => {
  const memory = new BufferPool(10 * blockSize)
  t.equal(memory.openShared(5 * blockSize + 1), undefined)
  for (let time = 0; time < 20; time += 1) {
    using lease = memory.openShared(5 * blockSize)
    t.equal(lease?.partSize, 5 * blockSize)
    t.equal(memory.openShared(3 * blockSize), undefined, 'five are left')
    const { blocks } = await takeAll(lease as BufferLease, 5)
    t.equal(memory.acquired, 5)
    for (const block of blocks) lease?.release(block)
  }
  t.equal(memory.acquired, 0)
})
