/** What the client process is to send. */
export interface Load {
  /** Origin of the server. */
  url: string
  method: 'GET' | 'POST' | 'PUT'
  /** One for each request. */
  paths: string[]
  /** Requests at a time, each on a connection of its own that is kept. */
  concurrency: number
  headers: Record<string, string>
  /** A file of so many bytes and what stands around it; none with GET. */
  body?: { before: string; fileBytes: number; after: string }
  /** How fast each connection sends its body; as fast as the server takes it when unset. */
  bytesPerSecond?: number | undefined
  /** What a download must be, beside 200; `sha256` in hex. */
  download?: { bytes: number; sha256?: string | undefined }
  /** For each request. */
  timeoutSeconds: number
}

/** How it went. Any request that was not answered as it should be is an error instead. */
export interface Outcome {
  /** From the first byte of the first request to the last of the last answer. */
  seconds: number
  /** Milliseconds from the first byte of a request to the last of its answer, in the order of the paths. */
  latencies: number[]
  /** The bodies of the answers to uploads, in the order of the paths. */
  answers: string[]
}
