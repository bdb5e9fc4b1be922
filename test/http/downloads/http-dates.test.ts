import t from 'tap'
import { evaluateConditions, rangeOf } from '#downloads/conditions.ts'

const validators = { etag: '"x"', lastModified: new Date('1994-11-06T08:49:37.500Z') }

t.test('the three forms of an HTTP date, wherever the server stands', async (t) => {
  const { TZ } = process.env
  process.env.TZ = 'Asia/Tokyo'
  t.teardown(() => {
    if (TZ === undefined) delete process.env.TZ
    else process.env.TZ = TZ
  })
  t.equal(new Date(0).getHours(), 9)

  const forms = ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']
  for (const date of forms) {
    t.equal(evaluateConditions({ 'if-modified-since': date }, validators), 'not_modified', date)
    t.equal(evaluateConditions({ 'if-unmodified-since': date }, validators), 'proceed', date)
    t.same(rangeOf({ range: 'bytes=0-0', 'if-range': date }, 9, validators), { first: 0, last: 0 }, date)
    const earlier = date.replace(':37', ':36')
    t.equal(evaluateConditions({ 'if-modified-since': earlier }, validators), 'proceed', earlier)
    t.equal(evaluateConditions({ 'if-unmodified-since': earlier }, validators), 'precondition_failed', earlier)
    t.equal(rangeOf({ range: 'bytes=0-0', 'if-range': earlier }, 9, validators), undefined, earlier)
  }
  for (const date of [
    '2099',
    '2099-01-01',
    '1',
    '2099-01-01T00:00:00Z',
    'Sun, 06 Nov 2099 99:99:99 GMT',
    'Sat, 31 Feb 2099 00:00:00 GMT',
    'Sat Feb 31 00:00:00 2099',
    '',
  ]) {
    t.equal(evaluateConditions({ 'if-modified-since': date }, validators), 'proceed', date)
    t.equal(evaluateConditions({ 'if-unmodified-since': date }, validators), 'proceed', date)
  }
})
