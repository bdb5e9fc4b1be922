import t from 'tap'
import { describeLeftOut, leftOutOf } from './left-out.ts'

const results = `TAP version 14
    ok 1 - its file # time=1ms
    ok 2 - in front of two replicas # SKIP without nginx
ok 1 - test/deploy/nginx.test.ts # time=2ms
        ok 1 - on s3 # SKIP without an S3 server
    ok 1 - kubectl makes them one # SKIP without kubectl (optional)
not ok 2 - test/deploy/kubernetes.test.ts # time=3ms
`

t.test('skipped tests are found by reason and file', async (t) => {
  t.strictSame(leftOutOf(results), [
    { reason: 'without nginx', tests: 1, files: ['test/deploy/nginx.test.ts'] },
    { reason: 'without an S3 server', tests: 1, files: ['test/deploy/kubernetes.test.ts'] },
    { reason: 'without kubectl (optional)', tests: 1, files: ['test/deploy/kubernetes.test.ts'] },
  ])
})

t.test('the end of a run says what was left out, and in CI what is missing', async (t) => {
  t.equal(describeLeftOut([], true), '')
  const lines = (isCi: boolean) => describeLeftOut(leftOutOf(results), isCi).split('\n')
  t.equal(lines(false)[2], 'LEFT OUT, without nginx: 1 test in test/deploy/nginx.test.ts')
  t.match(lines(true), [
    /^LEFT OUT, without kubectl/,
    /^MISSING, without an S3/,
    /^MISSING, without nginx/,
    /failure\.$/,
  ])
})
