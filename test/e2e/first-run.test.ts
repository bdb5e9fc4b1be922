import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { makeFolder, noSettings, repository } from '../kit/command.ts'
import { demoOf, downloadFile, startServing, uploadFile } from '../kit/serving.ts'
import { embeddedProcesses, noneRuns } from './embedded-processes.ts'

/** What a shell prints when these lines are pasted into it. */
async function paste(t: Test, shell: string, lines: string): Promise<string[]> {
  const child = spawn(shell, { cwd: await makeFolder(t), stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(lines)
  const [printed, complaints] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  t.equal(complaints, '')
  return printed.trim().split('\n')
}

/** The lines that the server prints to be pasted. */
function linesToPaste(output: string): string {
  return /^echo 'The cookie API'\n.*?(?=^Ctrl-C)/ms.exec(output)?.[0] ?? ''
}

t.test('npm start, its lines pasted, Ctrl-C, and again', async (t) => {
  const dataDir = join(await makeFolder(t), 'data')
  const npmStart = () =>
    startServing(t, { ...noSettings, DATA_DIR: dataDir, PORT: '0' }, { command: ['npm', 'start'], cwd: repository })
  const first = await npmStart()
  await demoOf(first)
  for (const shell of ['bash', 'sh']) {
    const [title, uploaded, metadata, downloaded, deleted, ...bearer] = await paste(
      t,
      shell,
      linesToPaste(first.output()),
    )
    t.equal(title, 'The cookie API')
    const { attachmentIds } = JSON.parse(uploaded ?? '')
    t.match(JSON.parse(uploaded ?? ''), { httpStatusCode: 200, attachmentIds: [Number] })
    t.match(JSON.parse(metadata ?? ''), {
      attachmentId: attachmentIds[0],
      attachmentState: 'ReadyForDownloadFromServerToClient',
      fileName: 'README.md',
    })
    t.equal(downloaded, 'The same bytes came back.')
    t.strictSame(JSON.parse(deleted ?? ''), { httpStatusCode: 200 })
    t.equal(bearer[0], 'The bearer API')
    t.match(JSON.parse(bearer[1] ?? ''), { id: /^\w{16}$/, filename: 'README.md', file_type: 'text/markdown' })
    t.match(JSON.parse(bearer[2] ?? ''), { id: JSON.parse(bearer[1] ?? '').id })
    t.strictSame(bearer.slice(3), ['The same bytes came back.', '204'])
  }

  const { cookie } = await demoOf(first)
  const bytes = randomBytes(3_000_000)
  const id = await uploadFile(first, cookie, 'kept.bin', bytes)
  const processes = await embeddedProcesses(dataDir)
  first.signalGroup('SIGINT')
  await first.ended
  t.notOk(first.isGroupAlive(), 'no process of npm or of ours is left')
  t.ok(noneRuns(processes), 'Postgres has ended')

  const second = await npmStart()
  await demoOf(second)
  t.ok(bytes.equals(await downloadFile(second, cookie, id, 'kept.bin')), 'the file and the session are still there')
})
