import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { makeFolder, runCommand } from '../../kit/command.ts'
import { skipWithout } from '../../kit/programs.ts'
import { startTestServer } from '../../kit/server.ts'
import { onePagePdf } from './pdf.ts'

const script = fileURLToPath(new URL('requests-client.py', import.meta.url))
const skip = skipWithout('Python with requests', ['python3', '-c', 'import requests'])

t.test('Python requests', { skip }, async (t) => {
  const server = await startTestServer(t, { store: 'disk' })
  const cwd = await makeFolder(t)
  await writeFile(join(cwd, '契約書.pdf'), onePagePdf('A contract'))
  const token = (await server.bearer(2)).authorization.slice('Bearer '.length)
  const { cookie } = await server.cookie(2)
  const env = { PYTHONIOENCODING: 'utf-8' }
  const { code, stdout, stderr } = await runCommand(['python3', script, server.url, cookie, token, cwd], { cwd, env })
  t.match({ code, stderr }, { code: 0, stderr: '' })

  const { upload, ...found } = JSON.parse(stdout)
  t.match(upload, [200, { httpStatusCode: 200, attachmentIds: { length: 3 } }])
  t.strictSame(found, {
    names: ['契約書.pdf', 'empty.txt', 'a "quoted" name.bin'],
    download: [200, 'application/pdf', true],
    empty: true,
    delete: [200, { httpStatusCode: 200 }],
    extended: [201, '契約書.pdf'],
    create: [201, '契約書.pdf', true],
    link: true,
    rename: [200, '新しい名前.pdf'],
    'renamed link': true,
    listed: true,
    gone: 204,
    again: 'not_found_error',
  })
})
