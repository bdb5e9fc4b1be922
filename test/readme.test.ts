import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import t from 'tap'
import { limitsTable, settingsTable } from '#config/readme-tables.ts'
import { settings } from '#config/settings.ts'
import { limits } from '#domain/limits.ts'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')

t.test('the settings in the README are the settings there are', async (t) => {
  const table = /<!-- settings -->\s*(.*?)\s*<!-- \/settings -->/s.exec(readme)?.[1]
  t.equal(table, settingsTable(), 'npm run -s settings-table prints the table that belongs there')
})

t.test('the limits in the README are the limits there are', async (t) => {
  const table = /<!-- limits -->\s*(.*?)\s*<!-- \/limits -->/s.exec(readme)?.[1]
  t.equal(table, limitsTable(), 'npm run -s limits-table prints the table that belongs there')
  const rows = limitsTable().split('\n').slice(2)
  t.ok(rows.length >= Object.keys(limits).length)
  t.ok(rows.includes('| A body that is not a file | 16 KiB | 413 |'))
  t.ok(rows.includes('| `MAX_CONNECTIONS` | `2000` | the end of the connection |'))
  for (const row of rows) t.equal(row.split('|').length, 5, row)
})

t.test('the table has one row for each setting, with its default and meaning', async (t) => {
  const rows = settingsTable().split('\n').slice(2)
  t.equal(rows.length, Object.keys(settings).length)
  t.equal(rows[1], '| `PORT` | `3000` | Port to listen on; 0 takes a free one. |')
  t.match(rows.join('\n'), /^\| `HOST` \| {2}\| Address to listen on/m, 'no default of its own')
  for (const row of rows) t.equal(row.split('|').length, 5, row)
})

t.test('.env.example sets nothing that is no setting', async (t) => {
  const example = await readFile(new URL('../.env.example', import.meta.url), 'utf8')
  const names = Array.from(example.matchAll(/^(?:# )?([A-Z\d_]+)=/gm), ([, name]) => name)
  t.ok(names.length > 0)
  const known = new Set(Object.values(settings).map(({ name }) => name))
  t.strictSame(
    names.filter((name) => !known.has(String(name))),
    [],
  )
})

t.test('each promise names a test there is', async (t) => {
  const promises = /## What it promises\n(.*?)\n## /s.exec(readme)?.[1]?.match(/^\d+\. .*$/gm) ?? []
  t.equal(promises.length, 13)
  for (const promise of promises) {
    const tests = Array.from(promise.matchAll(/\]\((test\/[^)]+)\)/g), ([, path]) => String(path))
    t.ok(tests.length > 0, promise)
    for (const path of tests) t.ok(existsSync(new URL(`../${path}`, import.meta.url)), path)
  }
})
