/**
 * The nine states and the moves between them, written down a second time, from the design: the server's own table is among
 * what is tested.
 */
export const initial = 'Initial'
export const hashing = 'ChecksumCalculationOnClientSideInProgress'
export const hashFailed = 'ChecksumCalculationOnClientSideFailed'
export const uploading = 'UploadFromClientToServerInProgress'
export const uploadFailed = 'UploadFromClientToServerFailed'
export const verifying = 'ChecksumVerificationOnServerSideInProgress'
export const mismatch = 'ChecksumVerificationOnServerSideMismatch'
export const verifyFailed = 'ChecksumVerificationOnServerSideFailed'
export const ready = 'ReadyForDownloadFromServerToClient'

export type State =
  | typeof initial
  | typeof hashing
  | typeof hashFailed
  | typeof uploading
  | typeof uploadFailed
  | typeof verifying
  | typeof mismatch
  | typeof verifyFailed
  | typeof ready

export const moves: Readonly<Record<State, readonly State[]>> = {
  [initial]: [hashing, uploading],
  [hashing]: [hashFailed, uploading],
  [hashFailed]: [hashing, uploading],
  [uploading]: [uploadFailed, verifying],
  [uploadFailed]: [uploading],
  [verifying]: [mismatch, verifyFailed, ready],
  [mismatch]: [uploading],
  [verifyFailed]: [uploading],
  [ready]: [],
}

export const isFailed = (state: State): boolean => [uploadFailed, mismatch, verifyFailed].includes(state)

/** A writer is at work, or died at it: it does not stay so. */
export const isPassing = (state: State): boolean => [uploading, verifying].includes(state)

/** In these all bytes have been measured. */
export const isMeasured = (state: State): boolean => [verifying, mismatch, verifyFailed, ready].includes(state)

export const awaitsBytes = (state: State): boolean => moves[state].includes(uploading)

/** The shortest legal way from one state to another, without the first. */
export function wayTo(from: State, to: State): State[] {
  const ways: State[][] = [[from]]
  for (const way of ways) {
    const last = way.at(-1) as State
    if (last === to) return way.slice(1)
    for (const next of moves[last]) if (!way.includes(next)) ways.push([...way, next])
  }
  throw new Error(`There is no legal way from ${from} to ${to}`)
}
