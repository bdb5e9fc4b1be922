import t from 'tap'
import { contentDisposition } from '#downloads/file-headers.ts'

t.test('whatever the name, the header stays a header and the name can be read back', async (t) => {
  const characters: string[] = []
  for (let code = 0; code < 0x11_00_00; code += code < 0x3_00 ? 1 : 97)
    if (code < 0xd8_00 || code > 0xdf_ff) characters.push(String.fromCodePoint(code))
  const wrong = characters.filter((character) => {
    const name = `a${character}b`
    const match = /^attachment; filename="([^"]*)"; filename\*=UTF-8''([\w!#$&+.^`|~%-]+)$/.exec(
      contentDisposition(name),
    )
    const isPlain = /^[\x20-\x7e]$/.test(character) && !'"\\%'.includes(character)
    return match === null || match[1] !== (isPlain ? name : 'a_b') || decodeURIComponent(match[2] ?? '') !== name
  })
  t.ok(characters.length > 10_000)
  t.same(wrong, [])
})
