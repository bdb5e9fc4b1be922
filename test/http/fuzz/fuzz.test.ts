import fc from 'fast-check'
import t from 'tap'
import { hostileBody, hostileForm, hostilePart, hostileText, hostileValue, mostly } from './hostile-input.ts'
import { attack, heapInUse, nothingIsLeft, openStage, type Request, type Stage, seed } from './stage.ts'

type Headers = Record<string, string>

const empty = Buffer.alloc(0)

/** Who sends it: the one who may as a rule, else nobody, or somebody with a credential of any shape. */
function from(good: Headers): fc.Arbitrary<Headers> {
  const odd = fc.oneof(
    hostileValue.map((text): Headers => ({ cookie: `session=${text}` })),
    hostileValue.map((text): Headers => ({ cookie: text })),
    hostileValue.map((text): Headers => ({ authorization: `Bearer ${text}` })),
    hostileValue.map((text): Headers => ({ authorization: text })),
    fc.constant<Headers>({}),
  )
  return fc.oneof({ weight: 6, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: odd })
}

function request(
  method: string,
  path: fc.Arbitrary<string>,
  who: Headers,
  body: fc.Arbitrary<{ headers: Headers; body: Buffer }>,
): fc.Arbitrary<Request> {
  return fc
    .tuple(path, from(who), body)
    .map(([path, credential, { headers, body }]) => ({ method, path, headers: { ...credential, ...headers }, body }))
}

const nothing = fc.constant({ headers: {}, body: empty })
const at = (...parts: (string | fc.Arbitrary<string>)[]) =>
  fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((all) => all.join(''))

function forms({ credentials: { cookie, bearer } }: Stage): fc.Arbitrary<Request> {
  return fc.oneof(
    request('POST', at('/api/v1/messages/', mostly(['1'], hostilePart), '/attachments'), cookie, hostileForm('files')),
    request('POST', at('/v1/attachments'), bearer, hostileForm('file')),
    request('PUT', at('/v1/attachments/', hostilePart), bearer, hostileForm('file')),
  )
}

function bodies({ credentials: { cookie, bearer, admin }, ready, reserved }: Stage): fc.Arbitrary<Request> {
  const names = ['a.txt', 'b.txt']
  const announced = hostileBody({
    ...{
      messageId: [1, 9, 0],
      fileName: names,
      fileSize: [0, 7],
      contentType: ['text/plain'],
      fileChecksum: ['a'.repeat(64)],
    },
  })
  const changed = hostileBody({
    ...{
      attachmentState: ['ChecksumCalculationOnClientSideInProgress'],
      fileName: names,
      fileChecksum: ['a'.repeat(64)],
    },
  })
  const room = at('/v1/rooms/', mostly(['50', '51'], hostilePart))
  return fc.oneof(
    request('POST', at('/api/v1/attachments'), cookie, announced),
    request('PATCH', at('/api/v1/attachments/', mostly([`${reserved}`], hostilePart)), cookie, changed),
    request(
      'PUT',
      at('/v1/attachments/', mostly([ready.publicId], hostilePart)),
      bearer,
      hostileBody({ filename: names }),
    ),
    request('PUT', room, admin, hostileBody({ memberIds: [[50], []], moderatorIds: [[50]] })),
    request('PUT', at(room, '/members/', mostly(['50'], hostilePart)), admin, hostileBody({ moderator: [true] })),
    request(
      'PUT',
      at('/v1/messages/', mostly(['50'], hostilePart)),
      admin,
      hostileBody({ roomId: [50], authorId: [50] }),
    ),
    request('PUT', at('/v1/users/', mostly(['50'], hostilePart)), admin, hostileBody({})),
    request('POST', at('/v1/sessions'), admin, hostileBody({ userId: [50], expiresInSeconds: [60] })),
    request('POST', at('/v1/tokens'), admin, hostileBody({ userId: [50], scopes: [['read']], expiresInSeconds: [60] })),
    request('POST', at('/api/v1/session'), bearer, hostileBody({})),
  )
}

function headers({ credentials: { cookie, bearer }, ready, reserved }: Stage): fc.Arbitrary<Request> {
  const names = [
    ...[
      'range',
      'if-range',
      'if-match',
      'if-none-match',
      'if-modified-since',
      'if-unmodified-since',
      'accept',
      'origin',
    ],
    ...[
      'content-type',
      'repr-digest',
      'content-digest',
      'content-encoding',
      'content-range',
      'sec-fetch-site',
      'expect',
    ],
    ...['x-forwarded-for', 'x-forwarded-host', 'x-request-id', 'accept-encoding', 'access-control-request-method'],
  ]
  const some = [
    ...[
      'bytes=0-1',
      'bytes=-0',
      'bytes=9-',
      '*',
      '"a"',
      'W/"a", "b"',
      'Sat, 28 Nov 2026 00:00:00 GMT',
      'none',
      'cross-site',
    ],
    ...['identity', 'sha-256=:AAAA:', 'a;b="c", d', 'text/plain', 'multipart/form-data; boundary=b'],
  ]
  const any = fc
    .array(fc.tuple(fc.constantFrom(...names), mostly(some, hostileValue)), { minLength: 1, maxLength: 4 })
    .map((pairs): Headers => Object.fromEntries(pairs))
  const read = any.map((headers) => ({ headers, body: empty }))
  const write = any.map((headers) => ({ headers, body: Buffer.from('content') }))
  const file = at(`/api/v1/attachments/${ready.id}/a.txt`)
  return fc.oneof(
    ...['GET', 'HEAD', 'OPTIONS', 'POST'].map((method) => request(method, file, cookie, read)),
    request('PUT', at(`/api/v1/attachments/${reserved}/`, mostly(['a.txt', 'b.txt'], hostilePart)), cookie, write),
    request('PUT', file, cookie, write),
    request('GET', at('/v1/attachments'), bearer, read),
    request('POST', at('/v1/attachments'), bearer, write),
    request('GET', at('/livez'), {}, read),
  )
}

function addresses({ credentials: { cookie, bearer, admin }, ready }: Stage): fc.Arbitrary<Request> {
  const id = mostly([`${ready.id}`, '999999'], hostilePart)
  const publicId = mostly([ready.publicId, 'A'.repeat(16)], hostilePart)
  const name = mostly(['a.txt'], hostilePart)
  const query = fc
    .array(
      fc.tuple(
        fc.constantFrom(
          'include',
          'variant',
          'limit',
          'after',
          'conversation_id',
          'starting_after',
          'ending_before',
          'x',
        ),
        mostly(['transitions', '1', '100', ready.publicId], hostilePart),
      ),
      { maxLength: 3 },
    )
    .map((pairs) => (pairs.length > 0 ? `?${pairs.map(([key, value]) => `${key}=${value}`).join('&')}` : ''))
  const signed = at('?expires=', mostly(['9999999999'], hostilePart), '&signature=', hostilePart)
  const read = (path: fc.Arbitrary<string>, who: Headers) =>
    fc.oneof(request('GET', path, who, nothing), request('HEAD', path, who, nothing))
  return fc.oneof(
    read(at('/api/v1/attachments/', id, query), cookie),
    read(at('/api/v1/attachments/', id, '/', name, query), cookie),
    read(at('/api/v1/messages/', mostly(['1', '9'], hostilePart), '/attachments', query), cookie),
    read(at('/v1/attachments', query), bearer),
    read(at('/v1/attachments/', publicId, query), bearer),
    read(at('/files/', publicId, '/', name, signed), {}),
    read(at('/', hostilePart, '/', hostilePart, query), cookie),
    request('DELETE', at('/api/v1/attachments/', hostilePart), cookie, nothing),
    request('DELETE', at('/v1/attachments/', hostilePart), bearer, nothing),
    ...['messages', 'rooms', 'users', 'tokens', 'sessions'].map((what) =>
      request('DELETE', at(`/v1/${what}/`, fc.constantFrom('77', '0', '-1', 'x')), admin, nothing),
    ),
    request('DELETE', at('/v1/rooms/', hostilePart, '/members/', hostilePart), admin, nothing),
    fc.record({
      method: fc.constantFrom('TRACE', 'PATCH', 'X'),
      path: id,
      headers: fc.constant(cookie),
      body: hostileText.map(Buffer.from),
    }),
  )
}

const kinds: [what: string, requests: (stage: Stage) => fc.Arbitrary<Request>][] = [
  ['forms', forms],
  ['bodies', bodies],
  ['headers', headers],
  ['addresses', addresses],
]

t.test(`whatever comes, with the seed ${seed}`, { timeout: 0 }, async (t) => {
  const stage = await openStage(t)
  const heapBefore = heapInUse()
  for (const [what, requests] of kinds) await t.test(what, (t) => attack(t, stage, requests(stage)))
  await nothingIsLeft(t, stage, heapBefore)
})
