/** The nine states of seed 000, in the order a file passes through them. */
export const attachmentStates = [
  'Initial',
  'ChecksumCalculationOnClientSideInProgress',
  'ChecksumCalculationOnClientSideFailed',
  'UploadFromClientToServerInProgress',
  'UploadFromClientToServerFailed',
  'ChecksumVerificationOnServerSideInProgress',
  'ChecksumVerificationOnServerSideMismatch',
  'ChecksumVerificationOnServerSideFailed',
  'ReadyForDownloadFromServerToClient',
] as const

export type AttachmentState = (typeof attachmentStates)[number]

/** The only moves there are: from each state, the states it may move to. Deletion is not a state but a tombstone. */
export const legalMoves: Readonly<Record<AttachmentState, readonly AttachmentState[]>> = {
  Initial: ['ChecksumCalculationOnClientSideInProgress', 'UploadFromClientToServerInProgress'],
  ChecksumCalculationOnClientSideInProgress: [
    'ChecksumCalculationOnClientSideFailed',
    'UploadFromClientToServerInProgress',
  ],
  ChecksumCalculationOnClientSideFailed: [
    'ChecksumCalculationOnClientSideInProgress',
    'UploadFromClientToServerInProgress',
  ],
  UploadFromClientToServerInProgress: ['UploadFromClientToServerFailed', 'ChecksumVerificationOnServerSideInProgress'],
  UploadFromClientToServerFailed: ['UploadFromClientToServerInProgress'],
  ChecksumVerificationOnServerSideInProgress: [
    'ChecksumVerificationOnServerSideMismatch',
    'ChecksumVerificationOnServerSideFailed',
    'ReadyForDownloadFromServerToClient',
  ],
  ChecksumVerificationOnServerSideMismatch: ['UploadFromClientToServerInProgress'],
  ChecksumVerificationOnServerSideFailed: ['UploadFromClientToServerInProgress'],
  ReadyForDownloadFromServerToClient: [],
}

/** The states of a reservation of which no byte has been sent yet. */
export const reservedStates = [
  'Initial',
  'ChecksumCalculationOnClientSideInProgress',
  'ChecksumCalculationOnClientSideFailed',
] as const satisfies AttachmentState[]

/** The states a client may ask for by name: where it is with its own checksum. */
export const clientSideStates = [
  'ChecksumCalculationOnClientSideInProgress',
  'ChecksumCalculationOnClientSideFailed',
] as const satisfies AttachmentState[]

export type ClientSideState = (typeof clientSideStates)[number]

/** The states in which a writer is at work and renews a lease. */
export const leasedStates = [
  'UploadFromClientToServerInProgress',
  'ChecksumVerificationOnServerSideInProgress',
] as const satisfies AttachmentState[]

/** The states in which an attempt has ended without a file: its bytes are removed. */
export const failedStates = [
  'UploadFromClientToServerFailed',
  'ChecksumVerificationOnServerSideMismatch',
  'ChecksumVerificationOnServerSideFailed',
] as const satisfies AttachmentState[]

export const readyState = 'ReadyForDownloadFromServerToClient' satisfies AttachmentState

export function isFailed(state: AttachmentState): boolean {
  return (failedStates as readonly AttachmentState[]).includes(state)
}

export function isLeased(state: AttachmentState): boolean {
  return (leasedStates as readonly AttachmentState[]).includes(state)
}

/** Whether an attempt may begin: no bytes are there or on their way, since none were sent yet or all attempts failed. */
export function awaitsBytes(state: AttachmentState): boolean {
  return legalMoves[state].includes('UploadFromClientToServerInProgress')
}

export const statesAwaitingBytes: readonly AttachmentState[] = attachmentStates.filter(awaitsBytes)

/** The states in which a try has come to nothing, the client's own checksum included: what follows begins another. */
export const unfinishedEnds = [
  'ChecksumCalculationOnClientSideFailed',
  ...failedStates,
] as const satisfies AttachmentState[]
