import { ConfigError, StowageError } from '#domain/errors.ts'

// `dev/` serves development alone. The production image does not contain it, so its modules are loaded on demand.

/** @throws StowageError that says what to do where `dev/` is not installed */
export function loadEmbeddedPostgres() {
  const problem = 'DATABASE_URL is not set, and the embedded Postgres in dev/ is not installed here: set DATABASE_URL.'
  return loaded(
    import('#dev/embedded-postgres/embedded-postgres.ts'),
    (cause) => new StowageError('database_unavailable', problem, { cause }),
  )
}

/** @throws ConfigError where `dev/` is not installed */
export function loadDemo() {
  const problem = 'DEMO must be unset: the demo is in dev/, and dev/ is not installed here'
  return loaded(import('#dev/demo.ts'), () => new ConfigError([problem]))
}

/** @param missing makes the error of a module that is not there, or that imports a package that is not there */
async function loaded<T>(module: Promise<T>, missing: (cause: unknown) => Error): Promise<T> {
  try {
    return await module
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
    throw isMissing ? missing(error) : error
  }
}
