import t from 'tap'
import { contentTypeFrom } from '../../src/lifecycle/content-type.ts'

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
})
