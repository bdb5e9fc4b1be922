import t from 'tap'
import { contentTypeFrom } from '#domain/content-type.ts'

t.test('the claim is kept, without its parameters', async (t) => {
  t.equal(contentTypeFrom('image/png', 'x.txt'), 'image/png')
  t.equal(contentTypeFrom('Text/Plain; charset=utf-8', 'x'), 'text/plain')
})

t.test('without a usable claim the ending of the name decides', async (t) => {
  t.equal(contentTypeFrom(undefined, 'x.pdf'), 'application/pdf')
  t.equal(contentTypeFrom('application/octet-stream', 'x.PNG'), 'image/png')
  t.equal(contentTypeFrom('no type at all\r\n', 'x.mp4'), 'video/mp4')
  t.equal(contentTypeFrom(undefined, 'x'), 'application/octet-stream')
  t.equal(contentTypeFrom('', 'pdf'), 'application/octet-stream')
  t.equal(contentTypeFrom(undefined, 'x.jfif'), 'image/jpeg')
  t.equal(contentTypeFrom(undefined, 'x.JFIF'), 'image/jpeg')
})

t.test('what is claimed of any file is no claim', async (t) => {
  for (const claim of [
    'image/*',
    '*/*',
    'multipart/form-data',
    'Multipart/Form-Data; boundary=b',
    'application/x-www-form-urlencoded',
    '',
    ' ',
  ])
    t.equal(contentTypeFrom(claim, 'x.png'), 'image/png', claim)
})

t.test('a claim that is too long is refused before it is read', async (t) => {
  const longest = `text/${'x'.repeat(250)}`
  t.equal(contentTypeFrom(longest, 'x.png'), longest.slice(0, 127))
  t.throws(() => contentTypeFrom(`${longest}x`, 'x.png'), { code: 'invalid', message: /has 256 characters/ })
})
