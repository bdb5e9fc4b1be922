import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { startTestServer } from '../../kit/server.ts'
import { type Address, get, upload } from './downloads.ts'
import { downloadRaw, type RawDownload } from './raw-download.ts'
import { readThrough } from './watched-store.ts'

const content = Buffer.alloc(2 ** 20, 'stowage ')

type Fault = (bytes: Buffer) => AsyncGenerator<Buffer>

/** What a store may do wrong, to the bytes it is asked for. */
const faults: Record<string, Fault> = {
  async *'sends nothing'() {},
  async *'fails at once'() {
    yield* []
    throw new Error('the store broke')
  },
  async *'ends half-way'(bytes) {
    yield bytes.subarray(0, bytes.length / 2)
  },
  async *'sends one byte less'(bytes) {
    yield bytes.subarray(0, -1)
  },
  async *'fails half-way'(bytes) {
    yield bytes.subarray(0, bytes.length / 2)
    throw new Error('the store broke')
  },
  async *'fails after the last byte but one'(bytes) {
    yield bytes.subarray(0, -1)
    throw new Error('the store broke')
  },
}

/** Those after which no byte has left the server. */
const sendNothing = ['sends nothing', 'fails at once']

/** How a store may send more than it was asked for. */
const surpluses: Record<string, Fault> = {
  async *'sends one byte more'(bytes) {
    yield bytes
    yield Buffer.from('!')
  },
  async *'sends one byte more in one piece'(bytes) {
    yield Buffer.concat([bytes, Buffer.from('!')])
  },
  async *'sends much more'(bytes) {
    yield bytes
    yield Buffer.alloc(200_000, '!')
  },
}

t.test('a store that', async (t) => {
  const unharmed = (source: Readable) => source
  let read: (source: Readable) => Readable = unharmed
  const server = await startTestServer(t, {
    store: 'disk',
    wrapStore: readThrough((source) => read(source)),
  })
  const { addresses } = await upload(server, new File([content], 'a.bin'))

  for (const [what, fault] of Object.entries(faults))
    await t.test(what, async (t) => {
      read = (source) => broken(source, fault)
      for (const address of addresses) {
        const whole = await downloadRaw(address)
        isNotTheFile(t, address, whole, content)
        const part = await downloadRaw(address, { range: 'bytes=1000-500999' })
        isNotTheFile(t, address, part, content.subarray(1000, 501_000))
        if (sendNothing.includes(what)) t.same([whole.status, part.status], [503, 503], 'an error while there is time')
        await t.rejects(fetchFile(address), 'fetch does not take it for the file')
      }
    })

  for (const [what, surplus] of Object.entries(surpluses))
    await t.test(what, async (t) => {
      read = (source) => broken(source, surplus)
      for (const address of addresses) {
        sentNothingElse(t, address, await downloadRaw(address), content)
        const part = await downloadRaw(address, { range: 'bytes=10-19' })
        sentNothingElse(t, address, part, content.subarray(10, 20))
      }
    })

  await t.test('has a bug', async (t) => {
    read = (source) => {
      source.destroy()
      throw new TypeError('secret')
    }
    for (const address of addresses) {
      const response = await get(address)
      t.equal(response.status, 500, address.route)
      t.notMatch(await response.text(), 'secret')
    }
  })

  await t.test('works again', async (t) => {
    read = unharmed
    for (const address of addresses) t.ok(content.equals(await fetchFile(address)), address.route)
  })
})

function broken(source: Readable, fault: Fault): Readable {
  const send = async function* () {
    yield* fault(Buffer.concat(await source.toArray()))
  }
  return Readable.from(send(), { objectMode: false })
}

async function fetchFile(address: Address): Promise<Uint8Array> {
  const response = await get(address)
  if (!response.ok) throw new Error(await response.text())
  return response.bytes()
}

/**
 * Either an error, with nothing in its head that describes the file, or a connection that breaks before the end, if not
 * before the first byte.
 */
function isNotTheFile(t: Test, { route }: Address, { status, promised, body, head }: RawDownload, file: Buffer): void {
  if (head === '') {
    t.equal(body.length, 0, `${route}: the connection breaks before the first byte`)
    return
  }
  if (status < 400) {
    t.equal(promised, file.length, route)
    t.ok(body.length < promised, `${route}: the connection breaks before the promised end`)
    t.ok(body.equals(file.subarray(0, body.length)), `${route}: what came was right`)
    return
  }
  t.equal(status, 503, route)
  t.equal(body.length, promised, `${route}: an error as a whole`)
  t.match(JSON.parse(body.toString()), route === 'file_url' ? { type: 'storage_error' } : { httpStatusCode: 503 })
  t.notMatch(head, /^(etag|repr-digest|content-disposition|content-range|accept-ranges|last-modified):/im)
}

/** The file, or less of it, or an error; never a byte that is none of its own. */
function sentNothingElse(t: Test, { route }: Address, { status, promised, body, head }: RawDownload, file: Buffer) {
  t.ok(head === '' || [200, 206, 503].includes(status), `${route}: ${status}`)
  if (status === 503) return
  t.ok(body.equals(file.subarray(0, body.length)), `${route}: what came was right`)
  if (head !== '') t.equal(promised, file.length, route)
}
