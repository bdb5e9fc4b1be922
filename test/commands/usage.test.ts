import t from 'tap'
import { stowage } from '../kit/command.ts'

t.test('a command line that is not understood', async (t) => {
  const wrong: [string[], RegExp][] = [
    [[], /^A command is missing\./],
    [['constructor'], /^There is no command constructor\./],
    [['token'], /^There is no command token\./],
    [['token', 'revoke'], /^stowage token revoke needs the token\./],
    [['token', 'revoke', 'one', 'two'], /^stowage token revoke does not take two\./],
    [['session', 'create', '--user', '1', '--scope', 'read'], /^stowage session create does not take --scope\./],
    [['serve', '3000'], /^stowage serve does not take 3000\./],
    [['migrate', '--force'], /--force/],
    [['token', 'create', '--user'], /--user/],
  ]
  for (const [words, message] of wrong) {
    const ended = await stowage(t, words)
    t.match(ended, { code: 1, stdout: '', stderr: message }, words.join(' '))
    t.match(ended.stderr, /\n\nUsage: stowage <command>\n/)
  }
})

t.test('help', async (t) => {
  for (const words of [['help'], ['serve', '-h']])
    t.match(await stowage(t, words), { code: 0, stdout: /^Usage: stowage <command>\n.*doctor/s, stderr: '' })
})
