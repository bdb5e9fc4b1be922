import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { type Program, parse } from 'acorn'

const repository = join(import.meta.dirname, '..', '..')

export interface Source {
  /** Below the repository. */
  path: string
  /** Without its types; every other character is where it was. */
  code: string
  tree: Program
}

/** The files of ours that a pattern names, to be looked through. */
export function sources(pattern: string, folder: 'src' | 'dev' = 'src'): Source[] {
  return globSync(join(folder, pattern), { cwd: repository }).map((path) => {
    const code = stripTypeScriptTypes(readFileSync(join(repository, path), 'utf8'))
    return { path, code, tree: parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true }) }
  })
}
