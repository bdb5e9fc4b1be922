import t from 'tap'
import { fieldText } from '#http/request-body/part-head.ts'

const latin1 = (text: string) => Buffer.from(text).toString('latin1')

t.test('text, in the charset that is said', async (t) => {
  const said: [contentType: string | undefined, bytes: string, text: string][] = [
    [undefined, latin1('é日'), 'é日'],
    ['', latin1('é'), 'é'],
    ['text/plain', latin1('é'), 'é'],
    ['Text/Plain; Charset="UTF-8"', latin1('é'), 'é'],
    ['text/plain; charset=us-ascii', 'e', 'e'],
    ['text/plain; charset=ISO-8859-1', '\xe9', 'é'],
    [undefined, '', ''],
  ]
  for (const [contentType, bytes, text] of said)
    t.equal(fieldText({ name: 'f', contentType }, bytes), text, `${contentType}`)
})

t.test('what is no text', async (t) => {
  const refused: [contentType: string | undefined, bytes: string, why: RegExp][] = [
    ['application/json', '{}', /type other than text/],
    ['text/html', 'a', /type other than text/],
    ['no type', 'a', /type other than text/],
    ['text/plain; charset=utf-7', 'a', /charset that is not known/],
    [undefined, '\xe9', /"f" is not valid UTF-8/],
    ['text/plain', latin1('日').slice(0, 2), /"f" is not valid UTF-8/],
  ]
  for (const [contentType, bytes, message] of refused)
    t.throws(() => fieldText({ name: 'f', contentType }, bytes), { code: 'invalid', message })
})
