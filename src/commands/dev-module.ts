/**
 * The module of `dev/` that `load` imports. `dev/` serves development alone: the production image does not contain it.
 * @param missing makes the error that says what to do where the module, or a package that it imports, is not installed
 */
export async function loadDevModule<T>(load: () => Promise<T>, missing: (cause: unknown) => Error): Promise<T> {
  try {
    return await load()
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
    throw isMissing ? missing(error) : error
  }
}
