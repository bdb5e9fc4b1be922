import t from 'tap'
import {
  type AttachmentState,
  attachmentStates,
  awaitsBytes,
  clientSideStates,
  failedStates,
  isFailed,
  isLeased,
  leasedStates,
  legalMoves,
  readyState,
  reservedStates,
  statesAwaitingBytes,
} from '#domain/states.ts'

t.test('the states are the nine of seed 000', async (t) => {
  t.same(attachmentStates, [
    'Initial',
    'ChecksumCalculationOnClientSideInProgress',
    'ChecksumCalculationOnClientSideFailed',
    'UploadFromClientToServerInProgress',
    'UploadFromClientToServerFailed',
    'ChecksumVerificationOnServerSideInProgress',
    'ChecksumVerificationOnServerSideMismatch',
    'ChecksumVerificationOnServerSideFailed',
    'ReadyForDownloadFromServerToClient',
  ])
})

t.test('every state can be reached, and only Ready has no way on', async (t) => {
  const reached = new Set<AttachmentState>(['Initial'])
  for (const state of reached) for (const next of legalMoves[state]) reached.add(next)
  t.equal(reached.size, attachmentStates.length)
  const ends = attachmentStates.filter((state) => legalMoves[state].length === 0)
  t.same(ends, [readyState])
})

t.test('Ready is reached from verification alone, and every failed state may be tried again', async (t) => {
  const before = attachmentStates.filter((state) => legalMoves[state].includes(readyState))
  t.same(before, ['ChecksumVerificationOnServerSideInProgress'])
  for (const state of failedStates) t.same(legalMoves[state], ['UploadFromClientToServerInProgress'])
})

t.test('a state is failed, leased or neither', async (t) => {
  for (const state of attachmentStates) t.notOk(isFailed(state) && isLeased(state), state)
  t.same(attachmentStates.filter(isFailed), failedStates)
  t.same(attachmentStates.filter(isLeased), leasedStates)
})

t.test('the legal moves, one by one', async (t) => {
  const uploading = 'UploadFromClientToServerInProgress'
  const [computing, computingFailed] = clientSideStates
  t.strictSame(legalMoves, {
    Initial: [computing, uploading],
    [computing]: [computingFailed, uploading],
    [computingFailed]: [computing, uploading],
    [uploading]: ['UploadFromClientToServerFailed', 'ChecksumVerificationOnServerSideInProgress'],
    UploadFromClientToServerFailed: [uploading],
    ChecksumVerificationOnServerSideInProgress: [
      'ChecksumVerificationOnServerSideMismatch',
      'ChecksumVerificationOnServerSideFailed',
      readyState,
    ],
    ChecksumVerificationOnServerSideMismatch: [uploading],
    ChecksumVerificationOnServerSideFailed: [uploading],
    [readyState]: [],
  })
})

t.test('bytes are awaited by what is reserved and by what has failed', async (t) => {
  t.same(statesAwaitingBytes, attachmentStates.filter(awaitsBytes))
  t.same([...statesAwaitingBytes].sort(), [...reservedStates, ...failedStates].sort())
  t.same(
    clientSideStates.filter((state) => !reservedStates.includes(state)),
    [],
  )
})
