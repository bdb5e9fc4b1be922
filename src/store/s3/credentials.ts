import type { S3Client } from '@aws-sdk/client-s3'

type Provider = S3Client['config']['credentials']

/** Milliseconds that the SDK's chain may take: it asks files, processes and the services of clouds. */
const limit = 5_000

/** The same credentials, or a failure when they have not come in time. */
export function limited(provide: Provider): Provider {
  return async (options) => {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(tooLate()), limit)
    try {
      return await Promise.race([provide(options), late.promise])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** By the name that the SDK gives its own failures of this kind. */
function tooLate(): Error {
  const error = new Error(`There are no credentials within ${limit} ms`)
  return Object.assign(error, { name: 'CredentialsProviderError' })
}
