import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { newestId, uploadFailed } from '../http/bad-input/remains.ts'
import { rowOf } from '../http/session-api/reservations.ts'
import { startTestServer } from '../kit/server.ts'
import { bearerApi, cookieApi } from '../kit/surfaces.ts'
import { until } from '../kit/until.ts'
import { bearerForm, declaredForm, form, rawPut, type WayToUpload } from '../kit/ways-to-upload.ts'
import { filesIn } from './stored-files.ts'

const full = /no space left/

/** Bytes: more than the disk has. */
const size = 6 * 2 ** 20

/** A folder that is a disk of 4 MB, gone when the test ends; `undefined` where we may not mount one. */
async function mountSmallDisk(t: Test): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-test-full-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder])
  t.teardown(async () => {
    if (status === 0) spawnSync('umount', ['--lazy', folder])
    await rm(folder, { recursive: true, force: true })
  })
  return status === 0 ? folder : undefined
}

t.test('a disk that is full is told as such, and nothing is left on it', async (t) => {
  const DATA_DIR = await mountSmallDisk(t)
  if (DATA_DIR === undefined) return void t.pass('no disk can be mounted here', { skip: true })
  const server = await startTestServer(t, { store: 'disk', env: { DATA_DIR, UPLOAD_LEASE_SECONDS: '3' } })
  const place = { url: server.url, ...(await server.cookie(1)), ...(await server.bearer(1)) }
  const isEmpty = async () => (await filesIn(join(DATA_DIR, 'objects'))).length === 0
  for (const way of [form, bearerForm, declaredForm, rawPut] satisfies WayToUpload[]) {
    const upload = await way.begin(place, { fileName: 'large.bin', size })
    for (let sent = 0; sent < size && upload.socket.writable; sent += 2 ** 18) await upload.send(Buffer.alloc(2 ** 18))
    const surface = way === bearerForm ? bearerApi : cookieApi
    surface.isError(t, await upload.finish(), 503, full)
    t.match(await rowOf(server, await newestId(server)), { state: uploadFailed, failureReason: full, isLeased: false })
    await until('nothing is left', isEmpty)
  }
  const small = await form.begin(place, { fileName: 'small.bin', size: 1000 })
  await small.send(Buffer.alloc(1000))
  t.equal((await small.finish()).status, 200, 'what there is room for is taken')
})
