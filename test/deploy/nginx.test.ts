import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { skipWithoutS3 } from '../kit/bucket.ts'
import { makeFolder, runCommand } from '../kit/command.ts'
import { skipWithout } from '../kit/programs.ts'
import { nginxArgs, nginxMain, nginxSite, startNginx } from '../kit/servers/nginx.ts'
import { uploadFile } from '../kit/serving.ts'
import { until } from '../kit/until.ts'
import { defaultOf, readDeploy } from './deploy-files.ts'
import { clientsNoticeNothing, restartsUnnoticed, startBehind } from './load-balanced.ts'

const skip = skipWithout('nginx', ['nginx', '-v'])

t.test('numbers that belong together', async (t) => {
  const text = await readDeploy('nginx/stowage.conf')
  const seconds = (place: RegExp) => Number(place.exec(text)?.[1])
  const wait = Number((await readDeploy('compose.yml')).match(/SHUTDOWN_WAIT_SECONDS: (\d+)/)?.[1])
  t.ok(seconds(/^ +keepalive_timeout (\d+)s;/m) < wait, 'no idle connection outlives its replica')
  t.ok(seconds(/fail_timeout=(\d+)s;/) < wait, 'a replica that is back is tried before the next one ends')
  t.ok(seconds(/client_body_timeout (\d+)s;/) > Number(defaultOf('UPLOAD_IDLE_SECONDS')), 'Stowage answers first')
  t.ok(seconds(/proxy_read_timeout (\d+)s;/) > 2 * 120, 'completing an upload may take two minutes, and be tried again')
})

t.test('nginx takes the file, without a warning', { skip }, async (t) => {
  const directory = await makeFolder(t)
  const site = await nginxSite({ directory, upstreams: ['127.0.0.1:3001', '127.0.0.1:3002'], port: 3000 })
  t.equal(site.match(/server 127\.0\.0\.1:300[12] max_fails=1 fail_timeout=3s;/g)?.length, 2)
  await writeFile(join(directory, 'stowage.conf'), site)
  await writeFile(join(directory, 'nginx.conf'), nginxMain(directory, 3003).replace(/\S+_temp_path .*;/g, ''))
  const { code, stderr } = await runCommand(['nginx', '-t', ...nginxArgs(directory)], { cwd: directory, env: {} })
  t.equal(code, 0, stderr)
  t.notMatch(stderr, /\[(warn|emerg)\]/)
})

t.test('in front of two replicas', { skip: skip || skipWithoutS3 }, async (t) => {
  const behind = await startBehind(t, startNginx)
  const log = (name: string) => readFile(join(behind.directory, name), 'utf8')
  clientsNoticeNothing(t, behind)
  restartsUnnoticed(t, behind)

  t.test('files come as Stowage sends them, whatever nginx.conf sets for all sites', async (t) => {
    t.match(await readFile(join(behind.directory, 'nginx.conf'), 'utf8'), /gzip on;/)
    const { url, cookie } = behind.place
    const text = 'a line that compresses well\n'.repeat(5000)
    const id = await uploadFile(behind.place, cookie, 'lines.txt', Buffer.from(text))
    const address = `${url}/api/v1/attachments/${id}/lines.txt`
    const get = (headers: Record<string, string>) =>
      fetch(address, { headers: { cookie, 'accept-encoding': 'gzip', ...headers } })
    const { headers } = await get({})
    t.equal(headers.get('content-encoding'), null)
    t.equal(headers.get('content-length'), String(text.length))
    t.equal(headers.get('accept-ranges'), 'bytes')
    t.match(headers.get('etag'), /^"/, 'strong')
    const part = await get({ range: 'bytes=5-9', 'if-range': headers.get('etag') ?? '' })
    t.match([part.status, await part.text()], [206, text.slice(5, 10)])
  })

  t.test('of all that nothing was on its disk', async (t) => {
    t.notMatch(await log('error.log'), /buffered to a temporary file/)
    const files = await readdir(join(behind.directory, 'temporary'), { recursive: true, withFileTypes: true })
    t.strictSame(
      files.filter((file) => file.isFile()),
      [],
    )
  })

  t.test('nor a credential or a name in its log', async (t) => {
    const { url } = behind.place
    await fetch(`${url}/files/abcdefghijklmnop/secret%20name.txt?expires=1&signature=private`)
    await fetch(`${url}/api/v1/attachments/1/secret%20name.txt`)
    const isLogged = async (line: string) => (await log('access.log')).includes(line)
    // nginx writes a line after the answer has left.
    await until('the one is logged', () => isLogged(' "GET /files/abcdefghijklmnop/" 403 '))
    await until('the other too', () => isLogged(' "GET /api/v1/attachments/1/" 401 '))
    const lines = await log('access.log')
    t.strictSame(lines.match(/.*(secret|private|signature|\.bin).*/g), null)
  })
})
