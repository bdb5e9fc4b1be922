/** The nine states of seed 000, in the order in which a file passes through them. */
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

/** The legal transitions: for each state, its successors. Deletion is a tombstone, not a state. */
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

/** The states of a reservation before its first byte is sent. */
export const reservedStates = [
  'Initial',
  'ChecksumCalculationOnClientSideInProgress',
  'ChecksumCalculationOnClientSideFailed',
] as const satisfies AttachmentState[]

/** The states that a client may set by name: the progress of its own checksum. */
export const clientSideStates = [
  'ChecksumCalculationOnClientSideInProgress',
  'ChecksumCalculationOnClientSideFailed',
] as const satisfies AttachmentState[]

export type ClientSideState = (typeof clientSideStates)[number]

/** The states with an active writer, which renews a lease. */
export const leasedStates = [
  'UploadFromClientToServerInProgress',
  'ChecksumVerificationOnServerSideInProgress',
] as const satisfies AttachmentState[]

/** The states of an attempt that ended without a file. The bytes of the attempt are removed. */
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

/** Whether an attempt may begin: no bytes are stored or in transit, because none were sent or every attempt failed. */
export function awaitsBytes(state: AttachmentState): boolean {
  return legalMoves[state].includes('UploadFromClientToServerInProgress')
}

export const statesAwaitingBytes: readonly AttachmentState[] = attachmentStates.filter(awaitsBytes)

/** The states of a failed try, the client's own checksum included. The next transition begins another try. */
export const unfinishedEnds = [
  'ChecksumCalculationOnClientSideFailed',
  ...failedStates,
] as const satisfies AttachmentState[]
