import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readOrCreateKey } from '#auth/key-file.ts'
import { makeFolder } from '../kit/command.ts'

t.test('a key is made once, for its owner alone', async (t) => {
  const folder = join(await makeFolder(t), 'data')
  const key = await readOrCreateKey(folder)
  t.match(key, /^[\da-f]{64}$/)
  t.equal(await readOrCreateKey(folder), key)
  t.strictSame(await readdir(folder), ['url-signing-key'], 'and no draft of it is left')
  t.equal((await stat(join(folder, 'url-signing-key'))).mode & 0o777, 0o600)
})

t.test('starts that race get the same key', async (t) => {
  const folder = await makeFolder(t)
  const keys = await Promise.all(Array.from({ length: 20 }, () => readOrCreateKey(folder)))
  t.equal(new Set(keys).size, 1)
  t.equal(keys[0], await readFile(join(folder, 'url-signing-key'), 'utf8'))
  t.strictSame(await readdir(folder), ['url-signing-key'])
})

t.test('what a full disk or a crash may leave is no key', async (t) => {
  const folder = await makeFolder(t)
  const path = join(folder, 'url-signing-key')
  for (const left of ['', '\n', 'k'.repeat(31), `${' '.repeat(40)}\n`]) {
    await writeFile(path, left)
    await t.rejects(readOrCreateKey(folder), { name: 'ConfigError', message: /url-signing-key.*URL_SIGNING_KEY/ })
    t.equal(await readFile(path, 'utf8'), left, 'it is left for the operator to look at')
  }
  await writeFile(path, `${'k'.repeat(32)}\n`)
  t.equal(await readOrCreateKey(folder), 'k'.repeat(32), 'a key that an editor ended with a line break')
})
