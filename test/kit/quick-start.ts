/**
 * Loaded before the modules of a process, this file halves the time that they take to load. The tests start hundreds of
 * processes. Node reads the package.json of a package for each of its modules; that of drizzle-orm has 180 KB.
 */
import { registerHooks } from 'node:module'

registerHooks({
  resolve(specifier, context, next) {
    if (!specifier.startsWith('.') || !context.parentURL?.includes('/node_modules/drizzle-orm/'))
      return next(specifier, context)
    return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true }
  },
})
