/** The moves there are, as the documents say it: written down once more, so that the server's own table is checked too. */
const moves: Record<string, string[]> = {
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

export const ready = 'ReadyForDownloadFromServerToClient'
export const uploading = 'UploadFromClientToServerInProgress'

/** The states with a writer at work. */
export const busyStates = [uploading, 'ChecksumVerificationOnServerSideInProgress']

export interface Step {
  attempt: number
  from: string | null
  to: string
}

/** What is wrong with a history, in words; `undefined` when each step follows from the one before. */
export function faultOf(steps: readonly Step[]): string | undefined {
  let before: Step | undefined
  for (const step of steps) {
    const fault = before ? faultBetween(before, step) : faultAtFirst(step)
    if (fault !== undefined) return fault
    before = step
  }
  return before === undefined ? 'there is no history' : undefined
}

function faultAtFirst({ attempt, from, to }: Step): string | undefined {
  return from === null && to === 'Initial' && attempt === 0 ? undefined : `it begins with ${from} → ${to}`
}

function faultBetween(before: Step, { attempt, from, to }: Step): string | undefined {
  if (from !== before.to) return `it is in ${before.to}, and moves from ${from}`
  if (!moves[before.to]?.includes(to)) return `there is no move from ${from} to ${to}`
  const expected = to === uploading ? before.attempt + 1 : before.attempt
  return attempt === expected ? undefined : `${from} → ${to} is written down of attempt ${attempt}, not ${expected}`
}
